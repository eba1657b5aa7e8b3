// How times are written on the dashboard; the server writes days and hours the same, in
// agents/dashboard.py.

const times = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dates = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
// As the server writes them: British ones have a Sept.
const months = new Intl.DateTimeFormat("en-US", { month: "short", timeZone: "UTC" });
const SECOND_MS = 1000;

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

/** Nothing measured is a measurement, too. */
export function took(ms) {
  return ms < SECOND_MS ? `${Math.round(ms)} ms` : `${(ms / SECOND_MS).toFixed(1)} s`;
}
