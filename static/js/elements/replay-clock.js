// When what is played again shows its items: as they came, but nobody waits for long. Pure; times
// in milliseconds.

export const LONGEST_PAUSE_MS = 4000;

/** How long to wait between two of them. */
export function waitBetween(earlier, later, speed) {
  if (earlier === null) return 0;
  return Math.min(Math.max(later - earlier, 0), LONGEST_PAUSE_MS) / speed;
}

/** Where a moment stands between the first and the last, from 0 to 1. */
export function shareAt(moment, { first, last }) {
  if (last <= first) return 1;
  return Math.min(Math.max((moment - first) / (last - first), 0), 1);
}

export function momentAt(share, { first, last }) {
  return first + share * (last - first);
}
