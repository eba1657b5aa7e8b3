// <connection-doctor action="…/test-event"> says when each station between a sender and this page
// has last seen an event, and sends one through all of them.

import { ARRIVES_WITHIN_MS, examine, STATIONS } from "../doctor.js";
import { askFor } from "../refresher.js";
import { clockTime, took } from "../times.js";
import { part } from "./live-list.js";

const SECOND_MS = 1000;
const ANSWERED_WITHIN_MS = 10_000;
const RECORDED_MS = /^(\d{4,16})_/;

class ConnectionDoctor extends HTMLElement {
  #page;
  #trial = null;
  #arrivals = new Map(); // testId → when it came, of those that the answer does not know yet
  #patience = null;

  connectedCallback() {
    this.#page = this.closest("project-dashboard");
    this.#page.addEventListener("frame", this.#take);
    this.#form.addEventListener("submit", this.#begin);
    this.#noteStored(this.#page.querySelector("project-feed").getAttribute("since"));
    this.#noteRung();
  }

  disconnectedCallback() {
    this.#page.removeEventListener("frame", this.#take);
    this.#form.removeEventListener("submit", this.#begin);
    clearTimeout(this.#patience);
  }

  get #form() {
    return this.querySelector("form");
  }

  get #button() {
    return this.querySelector("button");
  }

  #take = ({ detail: frame }) => {
    const testId = frame.type === "bridge.test" && frame.data?.testId;
    if (this.#isTesting && testId) {
      this.#arrivals.set(testId, Date.now());
      this.#show();
    } else if (!this.#isTesting) {
      this.#noteStored(frame.id, { wasIngested: Boolean(frame.data) });
      this.#showTimes("browser", { at: Date.now() });
    }
  };

  /** An event's id tells when it was recorded, by the server's clock. */
  #noteStored(id, { wasIngested = false } = {}) {
    const recordedAt = Number(RECORDED_MS.exec(id ?? "")?.[1]);
    if (recordedAt) this.#showTimes("store", { at: recordedAt });
    if (recordedAt && wasIngested) this.#showTimes("ingest", { at: recordedAt });
  }

  /** When the server has last heard of an event, and how late that was. */
  async #noteRung() {
    try {
      const { lastReceivedAt, lag } = await askFor("/api/realtime/stats");
      if (!lastReceivedAt || this.#trial) return;
      this.#showTimes("doorbell", { at: Date.parse(lastReceivedAt), tookMs: lag * SECOND_MS });
    } catch {
      return; // it is found out by the next test
    }
  }

  get #isTesting() {
    return this.#trial !== null && !this.#trial.isOver;
  }

  #begin = async (event) => {
    event.preventDefault();
    if (this.#isTesting) return;
    this.#arrivals.clear();
    this.#trial = { sentAt: Date.now(), isOver: false };
    this.#button.setAttribute("aria-disabled", "true");
    this.#show();
    Object.assign(this.#trial, await this.#send());
    this.#patience = setTimeout(() => this.#giveUp(), ARRIVES_WITHIN_MS);
    this.#show();
  };

  async #send() {
    try {
      const answer = await fetch(this.getAttribute("action"), {
        method: "POST",
        signal: AbortSignal.timeout(ANSWERED_WITHIN_MS),
        headers: { "X-CSRFToken": new FormData(this.#form).get("csrfmiddlewaretoken") ?? "" },
      });
      const answeredAt = Date.now();
      return answer.ok ? { answer: await answer.json(), answeredAt } : { status: answer.status };
    } catch {
      return { status: 0 };
    }
  }

  #giveUp() {
    this.#trial.isOver = true;
    this.#show();
  }

  #show() {
    const arrivedAt = this.#arrivals.get(this.#trial.answer?.testId);
    const { stations, verdict, isDone } = examine({ ...this.#trial, arrivedAt });
    for (const name of STATIONS) this.#showStation(name, stations[name]);
    // Written only when it changes: each writing is read out.
    const place = part(this, "verdict");
    if (place.textContent !== verdict) place.textContent = verdict;
    if (!isDone) return;
    this.#trial.isOver = true;
    clearTimeout(this.#patience);
    this.#button.removeAttribute("aria-disabled");
  }

  #showStation(name, { state, ...times }) {
    this.#stationOf(name).dataset.state = state;
    this.#showTimes(name, times);
  }

  /** What is not known anew stays as it was last. */
  #showTimes(name, { at, tookMs }) {
    const row = this.#stationOf(name);
    if (at !== undefined) part(row, "at").textContent = clockTime(at);
    if (tookMs !== undefined) part(row, "took").textContent = took(tookMs);
  }

  #stationOf(name) {
    return this.querySelector(`[data-station="${name}"]`);
  }
}

customElements.define("connection-doctor", ConnectionDoctor);
