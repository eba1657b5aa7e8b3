// How an answer's figures are said. The server says them alike, in agents/exchanges.py.

const numbers = new Intl.NumberFormat("en-US");
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const dates = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

const LEAST_COST = 0.0001;
const MINUTE_MS = 60_000;
const SAID_OF_ANSWER = 300;

export const PHASES = {
  pending: "Queued",
  processing: "Answering",
  completed: "Answered",
  error: "Failed",
  cancelled: "Stopped",
};

export function workWords({ ms, toolCount }) {
  if (ms === null) return "Worked";
  const tools = toolCount ? ` · ${toolCount} ${toolCount === 1 ? "tool" : "tools"}` : "";
  return `Worked for ${durationWords(ms)}${tools}`;
}

export function durationWords(ms) {
  if (ms >= MINUTE_MS) return `${minutesOf(ms)} min ${secondsOf(ms)} s`;
  const tenths = Math.floor((ms + 50) / 100);
  return `${Math.floor(tenths / 10)}.${tenths % 10} s`;
}

/** For a clock that runs. */
export function elapsedWords(ms) {
  return ms >= MINUTE_MS ? `${minutesOf(ms)} min ${secondsOf(ms)} s` : `${secondsOf(ms)} s`;
}

export function spentWords(usage) {
  if (!usage) return "";
  const { total_tokens: tokens, cost, is_estimated: isEstimated } = usage;
  const told = tokens ? [`${numbers.format(tokens)} ${tokens === 1 ? "token" : "tokens"}`] : [];
  if (cost) {
    const words = cost >= LEAST_COST ? `$${cost.toFixed(4)}` : `under $${LEAST_COST}`;
    told.push(isEstimated ? `${words} (estimate)` : words);
  }
  return told.join(" · ");
}

/** What somebody who does not see it hears of it; nothing where there is nothing new. */
export function announcement({ agent, phase, error, content }) {
  switch (phase) {
    case "processing":
      return `${agent} is answering`;
    case "completed":
      return `${agent} has answered: ${beginningOf(content)}`;
    case "error":
      return `${agent} has failed: ${error ?? ""}`;
    case "cancelled":
      return `${agent} was stopped`;
    default:
      return "";
  }
}

function beginningOf(content) {
  return content.length <= SAID_OF_ANSWER ? content : `${content.slice(0, SAID_OF_ANSWER)}…`;
}

/** The server wrote the time in UTC; the reader's own zone is known here only. */
export function showLocalTime(time) {
  const moment = new Date(time.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const isToday = moment.toDateString() === new Date().toDateString();
  const shown = clock.format(moment);
  time.textContent = isToday ? shown : `${dates.format(moment)}, ${shown}`;
  time.title = moment.toString();
}

const minutesOf = (ms) => Math.floor(ms / MINUTE_MS);
const secondsOf = (ms) => Math.floor((ms % MINUTE_MS) / 1000);
