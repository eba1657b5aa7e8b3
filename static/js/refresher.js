// Something that is asked for again when it may have changed: not all the time, and not for a page
// that nobody looks at.

const EVERY_MS = 1_500;
const AFTER_FAILURE_MS = 10_000;

export class Refresher {
  #ask;
  #timer = null;
  #isWanted = false;

  constructor(ask) {
    this.#ask = ask;
    document.addEventListener("visibilitychange", this.#onReturn);
  }

  /** Ask in a moment; until then, nothing more is needed. */
  soon(delayMs = EVERY_MS) {
    this.#isWanted = true;
    if (this.#timer === null && !document.hidden) this.#timer = setTimeout(this.#run, delayMs);
  }

  close() {
    clearTimeout(this.#timer);
    this.#isWanted = false;
    document.removeEventListener("visibilitychange", this.#onReturn);
  }

  #run = async () => {
    this.#isWanted = false;
    let restMs = EVERY_MS;
    try {
      await this.#ask();
    } catch {
      // The network or the server is away: the page says so elsewhere.
      this.#isWanted = true;
      restMs = AFTER_FAILURE_MS;
    }
    this.#timer = null;
    if (this.#isWanted) this.soon(restMs);
  };

  #onReturn = () => {
    if (this.#isWanted) this.soon();
  };
}

export async function askFor(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} answers ${answer.status}`);
  return answer.json();
}
