// Which of the colours of css/agents.css is an agent's. The server counts the same in
// conversations/templatetags/hues.py.

export const HUES = 24;

const BASIS = 4525; // with this one, the agents that are met most often have each their own
const MIXED = [
  [16, 0x85ebca6b],
  [13, 0xc2b2ae35],
  [16, 1],
];
const ALL = 2 ** 32;

/** FNV-1a of the id's UTF-8, mixed: one letter makes all the difference. */
export function hueOf(agentId) {
  let hash = BASIS;
  for (const byte of new TextEncoder().encode(agentId)) hash = Math.imul(hash ^ byte, 0x01000193);
  for (const [shift, factor] of MIXED) hash = Math.imul(hash ^ (hash >>> shift), factor);
  return Math.floor(((hash >>> 0) / ALL) * HUES);
}
