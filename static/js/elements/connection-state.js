// <connection-state> says in words how the page and the server are connected, and nothing better
// than what is known. Each second of a countdown is for eyes; a screen reader hears the changes.

const SECOND_MS = 1000;

const STOPPED = {
  signed_out: "Signed out",
  forbidden: "Not connected: this stream is not open to you",
  no_such_stream: "Not connected: there is no such stream",
  too_many_streams: "Not connected: too many streams are open",
  ended: "Ended: nothing more will come",
};

class ConnectionState extends HTMLElement {
  #state = null;
  #words = document.createElement("span");
  #countdown = document.createElement("span");
  #clock = null;

  connectedCallback() {
    this.#words.setAttribute("role", "status");
    this.#countdown.setAttribute("aria-hidden", "true");
    addEventListener("online", this.#show);
    addEventListener("offline", this.#show);
  }

  disconnectedCallback() {
    clearInterval(this.#clock);
    removeEventListener("online", this.#show);
    removeEventListener("offline", this.#show);
  }

  /** Show {phase, retryAt?, reason?}, as the stream reports it. */
  set state(state) {
    if (!this.#state) this.replaceChildren(this.#words, this.#countdown);
    this.#state = state;
    clearInterval(this.#clock);
    if (state.phase === "waiting") this.#clock = setInterval(this.#show, SECOND_MS);
    this.#show();
  }

  #show = () => {
    if (!this.#state) return;
    const { phase, retryAt, reason } = this.#state;
    this.dataset.phase = phase;
    const words = wordsFor(phase, reason);
    // Written only when it changes: each writing is read out.
    if (this.#words.textContent !== words) this.#words.textContent = words;
    const secondsLeft = Math.ceil((retryAt - Date.now()) / SECOND_MS);
    this.#countdown.textContent = phase === "waiting" ? ` in ${Math.max(secondsLeft, 0)} s` : "";
    if (reason === "signed_out") this.#offerToSignIn();
  };

  #offerToSignIn() {
    const link = document.createElement("a");
    link.textContent = "Sign in";
    link.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
    this.#countdown.replaceWith(" · ", link);
  }
}

function wordsFor(phase, reason) {
  switch (phase) {
    case "live":
      return "Live";
    case "connecting":
      return "Connecting…";
    case "waiting":
      return navigator.onLine ? "Not connected, trying again" : "Offline, trying again";
    default:
      return STOPPED[reason] ?? "Not connected: reload the page";
  }
}

customElements.define("connection-state", ConnectionState);
