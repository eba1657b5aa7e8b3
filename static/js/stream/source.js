// The interface of the socket over server-sent events, one connection a stream.
//
// The browser would reconnect by itself, but from now on where no event has come yet, after a fixed
// delay, and never again after an HTTP error. So it is told where to go on, each time, by us.

import { Cursor, Retry, seqOf } from "./resume.js";

const STABLE_AFTER_MS = 5_000;

const REFUSALS = {
  204: "ended",
  400: "malformed_cursor",
  401: "signed_out",
  403: "forbidden",
  404: "no_such_stream",
};

export function openSource(options = {}) {
  return new StreamSource(options);
}

class StreamSource {
  #options;
  #streams = new Map();

  constructor({
    urlOf = ownUrl,
    EventSourceClass = EventSource,
    fetch = (...wanted) => globalThis.fetch(...wanted),
    onState = () => {},
    retry = (nudged) => new Retry({ nudged }),
  }) {
    this.#options = { urlOf, EventSourceClass, fetch, onState, retry };
  }

  /**
   * Follow a stream; the answer is a function that leaves it. `types` names named events.
   * A frame comes with an id and a number, and beside it what was sent, as it was.
   */
  subscribe(stream, { since = null, types = [], onState = () => {} }, onFrame) {
    if (this.#streams.has(stream)) throw new Error(`already subscribed to ${stream}`);
    const tell = (state) => {
      onState(state);
      this.#options.onState(state);
    };
    const one = new OneSource(stream, { ...this.#options, since, types, tell, onFrame });
    this.#streams.set(stream, one);
    return () => {
      one.close();
      if (this.#streams.get(stream) === one) this.#streams.delete(stream);
    };
  }

  close() {
    for (const one of this.#streams.values()) one.close();
    this.#streams.clear();
  }
}

class OneSource {
  #stream;
  #options;
  #cursor;
  #retry;
  #source = null;
  #stability = null;
  #isClosed = false;

  constructor(stream, options) {
    this.#stream = stream;
    this.#options = options;
    this.#cursor = new Cursor(options.since);
    this.#retry = options.retry(() => {});
    this.#connect();
  }

  close() {
    this.#isClosed = true;
    this.#drop();
    this.#retry.close();
  }

  #connect() {
    const { EventSourceClass, types, tell } = this.#options;
    tell({ phase: "connecting" });
    const source = (this.#source = new EventSourceClass(this.#url()));
    source.onmessage = (event) => this.#take(event);
    for (const type of ["connected", ...types]) {
      source.addEventListener(type, (event) => this.#take(event));
    }
    source.onerror = () => this.#lost(source.readyState === EventSourceClass.CLOSED);
  }

  #url() {
    return this.#options.urlOf(this.#stream, this.#cursor.since);
  }

  #take({ data, lastEventId, type }) {
    const sent = JSON.parse(data);
    const frame = { ...sent, stream: this.#stream };
    frame.type ??= type;
    if (frame.type === "connected") return this.#connected(frame);
    if (frame.type === "stream.truncated") {
      this.#cursor.restartAt(frame.oldestId);
      this.#options.onFrame(frame);
      return;
    }
    const numbered = { ...frame, id: lastEventId, seq: seqOf(lastEventId) };
    if (this.#cursor.takes(numbered)) this.#options.onFrame(numbered, sent);
  }

  #connected({ lastEventId }) {
    this.#cursor.startAt(lastEventId);
    this.#stability = setTimeout(() => this.#retry.succeeded(), STABLE_AFTER_MS);
    this.#options.tell({ phase: "live" });
  }

  async #lost(wasRefused) {
    this.#drop();
    const reason = wasRefused ? await this.#refusal() : undefined;
    if (this.#isClosed) return;
    if (reason) return this.#options.tell({ phase: "stopped", reason });
    const retryAt = this.#retry.later(() => this.#connect());
    this.#options.tell({ phase: "waiting", retryAt });
  }

  /** Why the server said no: EventSource keeps the status to itself. */
  async #refusal() {
    const asking = new AbortController();
    try {
      const answer = await this.#options.fetch(this.#url(), { signal: asking.signal });
      return REFUSALS[answer.status];
    } catch {
      return undefined; // not reachable, which passes
    } finally {
      asking.abort();
    }
  }

  #drop() {
    clearTimeout(this.#stability);
    this.#source?.close();
    this.#source = null;
  }
}

function ownUrl(stream, since) {
  const [kind, name] = stream.split(/:(.*)/s);
  const url = new URL("/api/realtime/stream", location.href);
  url.searchParams.set(kind === "conversation" ? "conversationId" : "project", name);
  if (since !== null) url.searchParams.set("since", since);
  return url.href;
}
