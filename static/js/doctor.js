// What the way of a test event says of the connection. Pure: the times at which it was seen in, and
// out the stations with what each of them took, and one sentence.
//
// The clocks of the server and of this browser differ. By how much is told by the request itself:
// what it took on the way there and back is taken to be the same.

export const ARRIVES_WITHIN_MS = 5_000;

export const STATIONS = ["ingest", "store", "doorbell", "browser"];

const SAID = {
  ingest: "The event did not get into the server",
  store: "The server took the event and could not store it: is the database there?",
  doorbell:
    "The doorbell was not heard: is the channel layer (Redis, where there is one) there? " +
    "Events still come, up to a second or so late.",
  browser: "The event is stored and was told, but did not arrive here: see whether the page is live.",
};

/**
 * `trial`: {sentAt, answer?, answeredAt?, status?, arrivedAt?, isOver}, in ms by this browser's clock;
 * `answer` is what the server says of its own part.
 */
export function examine(trial) {
  const stations = stationsOf(trial);
  const placed = (state) => STATIONS.filter((name) => stations[name].state === state);
  const isDone = !placed("waiting").length;
  return { stations, verdict: verdict(trial, placed("failed")[0], isDone), isDone };
}

function stationsOf({ sentAt, answer, answeredAt, status, arrivedAt, isOver }) {
  if (!answer) return status === undefined ? all("waiting") : refused(status);
  const [receivedAt, storedAt, rungAt] = [answer.receivedAt, answer.storedAt, answer.rungAt].map(ms);
  const ahead = (receivedAt - sentAt + (ms(answer.answeredAt) - answeredAt)) / 2;
  const came = arrivedAt === undefined ? null : arrivedAt + ahead;
  return {
    ingest: passed(receivedAt - ahead, receivedAt - ahead - sentAt),
    store: storedAt ? passed(storedAt - ahead, storedAt - receivedAt) : { state: "failed" },
    doorbell: rungAt ? passed(rungAt - ahead, rungAt - storedAt) : { state: storedAt ? "failed" : "unknown" },
    browser: came ? passed(arrivedAt, came - (rungAt ?? storedAt)) : missing(storedAt, isOver),
  };
}

function all(state) {
  return Object.fromEntries(STATIONS.map((name) => [name, { state }]));
}

/** A server that fails has taken the event in; one that refuses it, or is not there, has not. */
function refused(status) {
  const stations = all("unknown");
  const hasComeIn = status >= 500;
  stations.ingest = { state: hasComeIn ? "passed" : "failed" };
  if (hasComeIn) stations.store = { state: "failed" };
  return stations;
}

/** Clocks are read one after the other: what took less than that took nothing. */
function passed(at, tookMs) {
  return { state: "passed", at, tookMs: Math.max(tookMs, 0) };
}

function missing(storedAt, isOver) {
  if (!storedAt) return { state: "unknown" };
  return { state: isOver ? "failed" : "waiting" };
}

function ms(time) {
  return time ? Date.parse(time) : null;
}

function verdict({ sentAt, arrivedAt, status }, stopped, isDone) {
  if (stopped === "ingest") return `${SAID.ingest}: ${refusal(status)}.`;
  if (stopped) return SAID[stopped];
  if (!isDone) return "On its way…";
  return `All is well: ${Math.round(arrivedAt - sentAt)} ms from this browser and back.`;
}

function refusal(status) {
  if (status === 401 || status === 403) return "you are not signed in, or may not record here";
  if (status === 404) return "this project is no longer there";
  if (status === 429) return "too many requests, try again in a minute";
  return "the server cannot be reached";
}
