// <connection-doctor action="…/test-event"> says when each station between a sender and this page
// has last seen an event, and sends one through all of them.

import { ARRIVES_WITHIN_MS, examine, STATIONS } from "../doctor.js";
import { clockTime, took } from "../sums.js";
import { part } from "./live-list.js";

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
    const recordedAt = RECORDED_MS.exec(frame.id ?? "");
    if (!this.#trial && recordedAt) {
      this.#showTimes("store", { at: Number(recordedAt[1]) });
      this.#showTimes("browser", { at: Date.now() });
    }
    const testId = frame.data?.testId;
    if (!this.#trial || frame.type !== "bridge.test" || !testId) return;
    this.#arrivals.set(testId, Date.now());
    this.#show();
  };

  #begin = async (event) => {
    event.preventDefault();
    if (this.#trial && !this.#trial.isOver) return;
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
    if (!isDone && this.#trial.status === undefined) return;
    this.#trial.isOver = true;
    clearTimeout(this.#patience);
    this.#button.removeAttribute("aria-disabled");
  }

  #showStation(name, { state, ...times }) {
    this.#stationOf(name).dataset.state = state;
    this.#showTimes(name, times);
  }

  #showTimes(name, { at, tookMs }) {
    const row = this.#stationOf(name);
    if (at !== undefined) part(row, "at").textContent = clockTime(at);
    part(row, "took").textContent = tookMs === undefined ? "" : took(tookMs);
  }

  #stationOf(name) {
    return this.querySelector(`[data-station="${name}"]`);
  }
}

customElements.define("connection-doctor", ConnectionDoctor);
