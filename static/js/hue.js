// Which of the colours of css/agents.css is an agent's. The server counts the same in
// conversations/templatetags/hues.py.

export const HUES = 12;

/** FNV-1a of the id's UTF-8. */
export function hueOf(agentId) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(agentId)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % HUES;
}
