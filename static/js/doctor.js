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
  const stopped = STATIONS.find((name) => stations[name].state === "failed");
  const isDone = STATIONS.every((name) => stations[name].state === "passed");
  return { stations, verdict: verdict(trial, stopped, isDone), isDone: isDone || trial.isOver };
}

function stationsOf({ sentAt, answer, answeredAt, status, arrivedAt, isOver }) {
  const waiting = { state: isOver ? "unknown" : "waiting" };
  if (!answer) {
    if (status === undefined) return all(waiting);
    const hasComeIn = status >= 500;
    return {
      ...all({ state: "unknown" }),
      ingest: { state: hasComeIn ? "passed" : "failed" },
      ...(hasComeIn ? { store: { state: "failed" } } : {}),
    };
  }
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
  return Object.fromEntries(STATIONS.map((name) => [name, state]));
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

function verdict({ sentAt, arrivedAt, status, isOver }, stopped, isDone) {
  if (isDone) return `All is well: ${Math.round(arrivedAt - sentAt)} ms from this browser and back.`;
  if (stopped === "ingest") return `${SAID.ingest}: ${refusal(status)}.`;
  if (stopped) return SAID[stopped];
  return isOver ? SAID.browser : "On its way…";
}

function refusal(status) {
  if (status === 401 || status === 403) return "you are not signed in, or may not record here";
  if (status === 404) return "this project is no longer there";
  if (status === 429) return "too many requests, try again in a minute";
  return "the server cannot be reached";
}
