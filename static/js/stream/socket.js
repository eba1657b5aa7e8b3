// Many topics on one socket: `WS /api/stream`.
//
//   const socket = openSocket({ onState: show });
//   const leave = socket.subscribe("project:default", { since: "0" }, (frame) => ...);
//
// Each stream keeps its place, so that after any break it goes on with the next event: none is
// missing and none comes twice. A socket and each of its streams have states of their own:
// {phase, retryAt?, reason?} with the phases connecting, live, waiting (until retryAt, in ms since
// the epoch) and stopped (for that reason, and for good).

import { Cursor, Retry } from "./resume.js";

const CONNECTED_WITHIN_MS = 10_000;
const PING_AFTER_MS = 10_000;
const PONG_WITHIN_MS = 5_000;
const STABLE_AFTER_MS = 5_000;
const TOO_MANY_REST_MS = 10_000;

const TRY_AGAIN = 1013;
const TOO_MANY = 4408;
const REFUSALS = {
  4400: "malformed_cursor",
  4401: "signed_out",
  4403: "forbidden",
  4404: "no_such_stream",
};
// Errors of one stream that pass; with any other, the stream has ended.
const PASSING = new Set(["try_again", "failed"]);

export function openSocket(options = {}) {
  return new StreamSocket(options);
}

class StreamSocket {
  #url;
  #WebSocket;
  #onState;
  #newRetry;
  #retry;
  #socket = null;
  #streams = new Map();
  #state = { phase: "connecting" };
  #watchdog = null;
  #stability = null;

  constructor({
    url = ownUrl(),
    WebSocketClass = WebSocket,
    onState = () => {},
    retry = (nudged) => new Retry({ nudged }),
  }) {
    this.#url = url;
    this.#WebSocket = WebSocketClass;
    this.#onState = onState;
    this.#newRetry = retry;
    this.#retry = retry(() => this.#probe());
    this.#connect();
  }

  get state() {
    return this.#state;
  }

  /** Follow a stream; the answer is a function that leaves it. One subscription per stream. */
  subscribe(stream, { since = null, types, agentIds, onState = () => {} }, onFrame) {
    if (this.#streams.has(stream)) throw new Error(`already subscribed to ${stream}`);
    const retry = this.#newRetry(() => {});
    const entry = { stream, types, agentIds, onState, onFrame, retry, cursor: new Cursor(since) };
    this.#streams.set(stream, entry);
    if (this.#isLive) this.#ask(entry);
    else onState(this.#state);
    return () => this.#leave(entry);
  }

  close() {
    this.#stop("closed");
    for (const entry of this.#streams.values()) entry.retry.close();
    this.#streams.clear();
    this.#retry.close();
  }

  get #isLive() {
    return this.#state.phase === "live";
  }

  #connect() {
    this.#enter({ phase: "connecting" });
    const socket = (this.#socket = new this.#WebSocket(this.#url));
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    this.#watch(CONNECTED_WITHIN_MS, () => this.#lost());
  }

  #take(frame) {
    this.#expectSilence();
    // A refused socket opens, too, and is closed right after: only this says that we are in.
    if (frame.type === "connected") return this.#connected();
    const entry = this.#streams.get(frame.stream);
    if (!entry) return;
    if (frame.type === "subscribed") this.#subscribed(entry, frame);
    else if (frame.type === "unsubscribed") this.#ended(entry, "ended");
    // What goes wrong with a stream has a code. An answer may tell of an "error", too.
    else if (frame.type === "error" && frame.code) this.#refused(entry, frame);
    else if (frame.type === "stream.truncated") this.#truncated(entry, frame);
    else if (entry.cursor.takes(frame)) entry.onFrame(frame);
  }

  #connected() {
    this.#stability = setTimeout(() => this.#retry.succeeded(), STABLE_AFTER_MS);
    this.#enter({ phase: "live" });
    for (const entry of this.#streams.values()) this.#ask(entry);
  }

  #ask(entry) {
    const { stream, types, agentIds, cursor } = entry;
    const since = cursor.since ?? undefined;
    entry.onState({ phase: "connecting" });
    this.#send({ action: "subscribe", stream, since, types, agentIds });
  }

  #subscribed(entry, { lastEventId }) {
    entry.retry.succeeded();
    entry.cursor.startAt(lastEventId);
    entry.onState({ phase: "live" });
  }

  #truncated(entry, frame) {
    entry.cursor.restartAt(frame.oldestId);
    entry.onFrame(frame);
  }

  #refused(entry, { code }) {
    if (code === "already_subscribed" || code === "not_subscribed") return;
    if (!PASSING.has(code)) return this.#ended(entry, code);
    const retryAt = entry.retry.later(() => this.#isLive && this.#ask(entry));
    entry.onState({ phase: "waiting", retryAt });
  }

  #ended(entry, reason) {
    this.#forget(entry);
    entry.onState({ phase: "stopped", reason });
  }

  #leave(entry) {
    if (this.#streams.get(entry.stream) !== entry) return;
    this.#forget(entry);
    if (this.#isLive) this.#send({ action: "unsubscribe", stream: entry.stream });
  }

  #forget(entry) {
    entry.retry.close();
    this.#streams.delete(entry.stream);
  }

  #lost(code) {
    const wasLive = this.#isLive;
    this.#drop();
    if (REFUSALS[code]) return this.#stop(REFUSALS[code]);
    // A server that shut down in order is back soon, or another takes its place.
    if (code === TRY_AGAIN && wasLive) this.#retry.succeeded();
    const atLeastMs = code === TOO_MANY ? TOO_MANY_REST_MS : 0;
    const retryAt = this.#retry.later(() => this.#connect(), { atLeastMs });
    this.#enter({ phase: "waiting", retryAt });
  }

  #stop(reason) {
    this.#drop();
    this.#retry.cancel();
    this.#enter({ phase: "stopped", reason });
  }

  #drop() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#stability);
    for (const entry of this.#streams.values()) entry.retry.cancel();
    if (!this.#socket) return;
    // The close of a dead connection may take minutes to be told. We do not wait for it.
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }

  // A connection that a sleeping laptop or a changed network has killed stays open to look at.
  #expectSilence() {
    this.#watch(PING_AFTER_MS, () => this.#probe());
  }

  #probe() {
    if (!this.#isLive) return;
    this.#send({ action: "ping" });
    this.#watch(PONG_WITHIN_MS, () => this.#lost());
  }

  #watch(delayMs, then) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(then, delayMs);
  }

  #send(command) {
    if (this.#socket.readyState === this.#WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }

  #enter(state) {
    this.#state = state;
    this.#onState(state);
    // A stream is live when it was subscribed; in all the rest it fares as the socket does.
    if (!this.#isLive) for (const entry of this.#streams.values()) entry.onState(state);
  }
}

function ownUrl() {
  const url = new URL("/api/stream", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}
