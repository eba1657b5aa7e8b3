// How numbers, sums and times are written. The server writes the first two the same, in
// conversations/templatetags/sums.py.

const numbers = new Intl.NumberFormat("en-US");
const sums = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const SECOND_MS = 1000;

export function count(number) {
  return numbers.format(number);
}

/** Parts of a cent count where there are no dollars. */
export function spend(cost) {
  if (!cost) return "$0";
  return `$${cost >= 1 ? sums.format(cost) : cost.toFixed(4)}`;
}

export function clockTime(moment) {
  return clock.format(moment);
}

export function took(ms) {
  return ms < SECOND_MS ? `${Math.round(ms)} ms` : `${(ms / SECOND_MS).toFixed(1)} s`;
}
