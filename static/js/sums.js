// How numbers, sums and times are written; the server writes the first the same, in
// conversations/templatetags/sums.py and agents/dashboard.py.

const numbers = new Intl.NumberFormat("en-US");
const sums = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const times = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dates = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
// As the server writes them: British ones have a Sept.
const months = new Intl.DateTimeFormat("en-US", { month: "short", timeZone: "UTC" });
const SECOND_MS = 1000;

export function count(number) {
  return numbers.format(number);
}

/** Parts of a cent count where there are no dollars. */
export function spend(cost) {
  if (!cost) return "$0";
  return `$${cost >= 1 ? sums.format(cost) : cost.toFixed(4)}`;
}

/** A day of UTC, or an hour of one. */
export function slotName(begin, unit) {
  const day = `${begin.getUTCDate()} ${months.format(begin)} ${begin.getUTCFullYear()}`;
  return unit === "day" ? day : `${day}, ${begin.toISOString().slice(11, 16)}`;
}

/** By the reader's clock; with the day where that is not today. */
export function clockTime(moment) {
  const isToday = new Date(moment).toDateString() === new Date().toDateString();
  return isToday ? times.format(moment) : `${dates.format(moment)}, ${times.format(moment)}`;
}

export function took(ms) {
  return ms < SECOND_MS ? `${Math.round(ms)} ms` : `${(ms / SECOND_MS).toFixed(1)} s`;
}
