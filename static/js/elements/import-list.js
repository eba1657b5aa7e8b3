// <import-list stream="project:default" since="EVENT_ID" door="/api/projects/default/ingest/jobs">
// keeps the imports that it holds live. With `newest` it takes in those that come; with `whole` it
// shows all that is bad in its one import, and not only the first.

import { follow } from "../live.js";
import { toast } from "../toast.js";
import { fillImport, isOpen } from "./import-card.js";
import { showLocalTime } from "./feed-row.js";

const FIRST_ERRORS = 3;

class ImportList extends HTMLElement {
  #since = null;
  #leave = null;
  #waiting = new Map(); // id → what is to be shown of it with the next frame
  #drawing = null;

  connectedCallback() {
    this.#since ??= this.getAttribute("since");
    for (const card of this.#cards) showLocalTime(card);
    this.addEventListener("submit", this.#cancel);
    document.addEventListener("import-opened", this.#opened);
    const options = { since: this.#since, types: ["ingest.*"] };
    this.#leave = follow(this.getAttribute("stream"), options, this.#take);
  }

  disconnectedCallback() {
    this.#leave();
    this.removeEventListener("submit", this.#cancel);
    document.removeEventListener("import-opened", this.#opened);
    cancelAnimationFrame(this.#drawing);
    this.#drawing = null;
  }

  get #cards() {
    return this.querySelectorAll(":scope > [data-job]");
  }

  #cardOf(id) {
    return this.querySelector(`:scope > [data-job="${CSS.escape(id)}"]`);
  }

  #take = (frame) => {
    this.#since = frame.id ?? this.#since;
    if (frame.type === "stream.truncated") this.#lookAgain();
    else if (frame.job) this.#show(frame.job);
  };

  /** The answer to an upload may come after the first events of its import. */
  #opened = ({ detail: job }) => {
    if (!this.#cardOf(job.id) && !this.#waiting.has(job.id)) this.#show(job);
  };

  #show(job) {
    this.#waiting.set(job.id, job);
    this.#drawing ??= requestAnimationFrame(() => {
      this.#drawing = null;
      this.#draw();
    });
  }

  #draw() {
    for (const job of this.#waiting.values()) {
      const card = this.#cardOf(job.id) ?? this.#added(job);
      if (!card) continue;
      const wasOpen = card.hasAttribute("data-open");
      fillImport(card, job, { mostErrors: this.hasAttribute("whole") ? Infinity : FIRST_ERRORS });
      if (wasOpen && !isOpen(job)) tellOfEnd(job);
    }
    this.#waiting.clear();
  }

  #added(job) {
    if (!this.hasAttribute("newest")) return null;
    const template = this.querySelector("template");
    const card = template.content.firstElementChild.cloneNode(true);
    card.dataset.job = job.id;
    card.querySelector("time").dateTime = job.created_at;
    showLocalTime(card);
    this.querySelector(".import-none").hidden = true;
    this.prepend(card);
    return card;
  }

  /** Some events are gone: what the imports are like now says more. */
  async #lookAgain() {
    const answer = await fetch(this.getAttribute("door"));
    if (!answer.ok) return;
    const { items } = await answer.json();
    for (const job of items.reverse()) this.#show(job);
  }

  #cancel = async (event) => {
    event.preventDefault();
    const id = event.target.closest("[data-job]").dataset.job;
    const token = event.target.elements.csrfmiddlewaretoken.value;
    const answer = await fetch(`${this.getAttribute("door")}/${id}/cancel`, {
      method: "POST",
      headers: { "X-CSRFToken": token },
    }).catch(() => null);
    const body = await answer?.json().catch(() => null);
    if (answer?.ok) this.#show(body.job);
    else toast(body?.error ?? "The server could not be reached", { tone: "bad" });
  };
}

function tellOfEnd(job) {
  const name = job.file_name || "An import";
  if (job.status === "completed") {
    const bad = job.failed ? `, ${job.failed} bad` : "";
    toast(`${name} is imported: ${job.new + job.repaired} new, ${job.known} known${bad}`);
  } else if (job.status === "failed") {
    toast(`${name} could not be imported`, { tone: "bad" });
  }
}

customElements.define("import-list", ImportList);
