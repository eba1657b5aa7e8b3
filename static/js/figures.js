// Amounts in words, as the server writes them in conversations/templatetags/figures.py.

const NONE = "—"; // where nothing is known there is no figure, and not one of zero
const LEAST_DOLLARS = 0.0001;
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export function thousands(number) {
  return whole.format(number);
}

/** Parts of a cent count where there are no dollars. */
export function dollars(amount) {
  if (!amount) return NONE;
  if (amount < LEAST_DOLLARS) return `<$${LEAST_DOLLARS}`;
  return `$${amount >= 1 ? money.format(amount) : amount.toFixed(4)}`;
}

/** The two units that matter: 2 h 5 min, 3.2 s. */
export function lasted(ms) {
  if (!ms) return NONE;
  if (ms < SECOND_MS) return `${ms} ms`;
  if (ms < MINUTE_MS) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < HOUR_MS) return inTwo(ms, [MINUTE_MS, "min"], [SECOND_MS, "s"]);
  if (ms < DAY_MS) return inTwo(ms, [HOUR_MS, "h"], [MINUTE_MS, "min"]);
  return inTwo(ms, [DAY_MS, "d"], [HOUR_MS, "h"]);
}

function inTwo(ms, [largeMs, large], [smallMs, small]) {
  const rest = Math.floor((ms % largeMs) / smallMs);
  return `${whole.format(Math.floor(ms / largeMs))} ${large} ${rest} ${small}`;
}
