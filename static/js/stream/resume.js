// What every live connection needs: where to go on from, and when to try again.

export const START = "0";

const EVENT_ID = /^\d{1,16}_(\d{4,18})_[0-9a-f]{8}$/;

const FIRST_DELAY_MS = 500;
const MOST_DELAY_MS = 15_000;

/** The number inside an event id. Only this decides what is newer; null where it is no id. */
export function seqOf(id) {
  if (id === START) return 0;
  const found = EVENT_ID.exec(id ?? "");
  return found ? Number(found[1]) : null;
}

/** How far one stream has been read. */
export class Cursor {
  #id;
  #seq;

  constructor(since = null) {
    this.#id = since;
    this.#seq = seqOf(since) ?? 0;
  }

  /** What to ask the server for; null is "from now on". */
  get since() {
    return this.#id;
  }

  /** True where the frame is new. One that came before is not told again. */
  takes(frame) {
    const seq = frame.seq ?? seqOf(frame.id);
    if (seq === null || seq <= this.#seq) return false;
    this.#seq = seq;
    this.#id = frame.id;
    return true;
  }

  /** The server's word on where an opened stream stands, for one that was opened "from now on". */
  startAt(lastEventId) {
    const seq = seqOf(lastEventId);
    if (this.#id !== null || seq === null) return;
    this.#id = lastEventId;
    this.#seq = seq;
  }

  /** What lay behind the cursor is gone: go on in front of the oldest event that is held. */
  restartAt(oldestId) {
    const oldest = seqOf(oldestId);
    if (oldest === null) return;
    this.#seq = Math.max(oldest - 1, 0);
    this.#id = this.#seq ? `0_${String(this.#seq).padStart(4, "0")}_00000000` : START;
  }
}

/**
 * When to try again: back-off with full jitter, and at once when the network or the reader returns.
 * Where nothing waits to be tried, `nudged` is called instead: what looks alive may be dead.
 */
export class Retry {
  #attempts = 0;
  #timer = null;
  #again = null;
  #nudged;
  #places;
  #random;
  #firstDelayMs;

  constructor({
    nudged,
    places = placesOfPage(),
    random = Math.random,
    firstDelayMs = FIRST_DELAY_MS,
  }) {
    this.#nudged = nudged;
    this.#places = places;
    this.#random = random;
    this.#firstDelayMs = firstDelayMs;
    for (const [place, name] of this.#places) place.addEventListener(name, this.#onReturn);
  }

  /** Call `again` later; says when, in milliseconds since the epoch. */
  later(again, { atLeastMs = 0 } = {}) {
    this.cancel();
    const most = Math.min(MOST_DELAY_MS, this.#firstDelayMs * 2 ** this.#attempts++);
    const delayMs = Math.max(atLeastMs, Math.round(this.#random() * most));
    this.#again = again;
    this.#timer = setTimeout(() => this.#go(), delayMs);
    return Date.now() + delayMs;
  }

  /** The connection has proved itself: the next loss starts from the shortest delay. */
  succeeded() {
    this.#attempts = 0;
  }

  cancel() {
    clearTimeout(this.#timer);
    this.#timer = this.#again = null;
  }

  close() {
    this.cancel();
    for (const [place, name] of this.#places) place.removeEventListener(name, this.#onReturn);
  }

  #onReturn = ({ type }) => {
    if (type === "visibilitychange" && globalThis.document?.hidden) return;
    if (!this.#again) this.#nudged();
    else if (type !== "offline") this.#go();
  };

  #go() {
    const again = this.#again;
    this.cancel();
    again();
  }
}

/** Where a page hears that the network or the reader is back. */
function placesOfPage() {
  if (!globalThis.document) return [];
  return [
    [globalThis, "online"],
    [globalThis, "offline"],
    [globalThis, "pageshow"],
    [document, "visibilitychange"],
  ];
}
