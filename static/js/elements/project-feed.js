// <project-feed stream="project:default" since="EVENT_ID"> goes on where the server's rows end.
//
// New rows come in at the top. A reader who has scrolled down is left alone: rows wait behind a
// button until the reader comes back up.

import { follow } from "../live.js";
import { emptyFeed, MOST_ROWS, reduceFeed, withName } from "../stream/reduce.js";
import { seqOf } from "../stream/resume.js";
import { makeRow, nameConversation, nameIn, showLocalTime } from "./feed-row.js";

// More often nobody reads along. What else the page does is to have its time, too.
const DRAW_EVERY_MS = 120;
// A row is pointed at where it comes alone; where they stream by, that would be a flicker.
const CALM_MS = 1_000;

class ProjectFeed extends HTMLElement {
  #state = emptyFeed;
  #shown = emptyFeed; // the part of the state that stands in the page
  #since = null;
  #leave = null;
  #drawing = null; // a frame that has been asked for
  #resting = null; // a time after which it will be
  #drewAt = -Infinity;
  #grewAt = -Infinity;

  connectedCallback() {
    if (this.#since === null) {
      this.#since = this.getAttribute("since");
      this.#state = this.#shown = this.#stateOfPage();
    }
    for (const item of this.#list.children) showLocalTime(item);
    this.#more.addEventListener("click", this.#backToTop);
    addEventListener("scroll", this.#drawSoon, { passive: true });
    this.#leave = follow(this.getAttribute("stream"), { since: this.#since }, this.#take);
  }

  disconnectedCallback() {
    this.#leave();
    this.#more.removeEventListener("click", this.#backToTop);
    removeEventListener("scroll", this.#drawSoon);
    cancelAnimationFrame(this.#drawing);
    clearTimeout(this.#resting);
    this.#drawing = this.#resting = null;
  }

  get #list() {
    return this.querySelector(".feed");
  }

  get #more() {
    return this.querySelector(".feed-more");
  }

  get #isAtTop() {
    if (!this.#list.children.length) return true;
    const bar = this.querySelector(".feed-bar");
    return this.#list.getBoundingClientRect().top >= bar.getBoundingClientRect().bottom - 1;
  }

  #stateOfPage() {
    const names = new Map();
    for (const item of this.#list.children) names.set(item.dataset.conversation, nameIn(item));
    return { ...emptyFeed, seq: seqOf(this.#since) ?? 0, names };
  }

  #take = (frame) => {
    this.#since = frame.id ?? this.#since;
    this.#state = reduceFeed(this.#state, frame);
    // For what else stands on the page: one connection is enough for all of it.
    this.dispatchEvent(new CustomEvent("frame", { detail: frame, bubbles: true }));
    this.#drawSoon();
  };

  #drawSoon = () => {
    if (this.#drawing !== null || this.#resting !== null) return;
    const restMs = this.#drewAt + DRAW_EVERY_MS - performance.now();
    if (restMs > 0) this.#resting = setTimeout(this.#askForFrame, restMs);
    else this.#askForFrame();
  };

  #askForFrame = () => {
    this.#resting = null;
    this.#drawing = requestAnimationFrame((now) => {
      this.#drawing = null;
      this.#drewAt = now;
      this.#draw();
    });
  };

  #draw() {
    this.#rename();
    const fresh = rowsAbove(this.#state.rows, this.#shown.rows[0]);
    const hasRestarted = this.#state.restarts !== this.#shown.restarts;
    const isAtTop = this.#isAtTop;
    this.#list.toggleAttribute("data-away", !isAtTop);
    const waits = !hasRestarted && !isAtTop ? fresh.length : 0;
    this.#more.hidden = !waits;
    if (waits) {
      this.#more.textContent = `${waits} new ${waits === 1 ? "event" : "events"}`;
      return;
    }
    if (hasRestarted) this.#list.replaceChildren();
    if (fresh.length) this.#letIn(fresh);
    const isEmpty = this.#list.children.length === 0;
    this.querySelector(".feed-empty").hidden = !isEmpty;
    this.#list.hidden = isEmpty;
    this.#shown = this.#state;
  }

  #letIn(rows) {
    const items = rows.map((row) => this.#itemOf(row));
    const isCalm = this.#drewAt - this.#grewAt > CALM_MS;
    if (isCalm) for (const item of items) item.classList.add("event--new");
    this.#grewAt = this.#drewAt;
    this.#list.prepend(...items);
    while (this.#list.children.length > MOST_ROWS) this.#list.lastElementChild.remove();
  }

  #itemOf(row) {
    const name = this.#state.names.get(row.conversation);
    if (row.conversation && name === undefined) this.#learnName(row.conversation);
    return makeRow(this.querySelector("template"), row, name);
  }

  /** A conversation that began before anything we have seen: its frames carry its id alone. */
  async #learnName(id) {
    this.#state = withName(this.#state, id, "");
    try {
      const answer = await fetch(`/api/conversations/${encodeURIComponent(id)}`);
      const { name } = answer.ok ? await answer.json() : {};
      // A start that came in the meantime knows better.
      if (name && !this.#state.names.get(id)) this.#state = withName(this.#state, id, name);
    } catch {
      return; // the row goes on showing the id
    }
    this.#drawSoon();
  }

  #rename() {
    const { names } = this.#state;
    if (names === this.#shown.names) return;
    for (const item of this.#list.children) {
      const name = names.get(item.dataset.conversation);
      if (name) nameConversation(item, name);
    }
    this.#shown = { ...this.#shown, names };
  }

  #backToTop = () => {
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.scrollIntoView({ behavior: isCalm ? "auto" : "smooth" });
    // The button goes away; whoever came by keyboard is to be among the rows and not nowhere.
    this.#list.focus({ preventScroll: true });
  };
}

function rowsAbove(rows, known) {
  const place = known ? rows.indexOf(known) : -1;
  return place < 0 ? rows : rows.slice(0, place);
}

customElements.define("project-feed", ProjectFeed);
