// <run-answer run="ID" project="ID" status="processing" since="EVENT_ID"> holds what a run has come to, as the server
// wrote it. One that goes on is followed; one that is over is the stage of a <replay-player>.

import { stepsOfRun } from "../chat.js";
import { follow } from "../live.js";
import { isFinished } from "../stream/answer.js";
import { toast } from "../toast.js";
import { AnswerView } from "./answer-view.js";
import { announcement } from "./answer-words.js";

class RunAnswer extends HTMLElement {
  #view = new AnswerView(this, {
    now: () => this.#replayed ?? Date.now(),
    onDrawn: (...how) => this.#noteDrawn(...how),
  });
  #since = null;
  #leave = null;
  #steps = null; // all of them, once somebody wants them
  #replayed = null; // until when it is played again

  connectedCallback() {
    this.#view.part("work").addEventListener("toggle", this.#learnSteps);
    this.#view.wake();
    if (!this.isFinished) this.#follow();
  }

  disconnectedCallback() {
    this.#view.part("work").removeEventListener("toggle", this.#learnSteps);
    this.#view.sleep();
    this.#leave?.();
  }

  get isFinished() {
    return isFinished({ phase: this.getAttribute("status") });
  }

  #follow() {
    this.#since ??= this.getAttribute("since");
    this.#leave = follow(`run:${this.getAttribute("run")}`, { since: this.#since }, this.#take);
  }

  #take = (frame) => {
    this.#since = frame.id ?? this.#since;
    if (frame.type === "start") this.dataset.first = frame.timestamp;
    if (frame.type === "end") this.dataset.last = frame.timestamp;
    this.#view.take(frame);
    if (frame.type !== "content") this.#tellParts();
  };

  /** What the server says of the run elsewhere in the page has changed with it. */
  #tellParts() {
    for (const id of this.getAttribute("facts").split(" ")) document.getElementById(id).soon();
  }

  #noteDrawn(state, { isOther }) {
    const { phase, isPartial } = state;
    if (!isOther || this.#replayed !== null || this.isFinished) return;
    this.setAttribute("status", phase);
    const agent = this.#view.part("agent").textContent;
    this.#view.part("news").textContent = announcement({ agent, ...state });
    if (!isFinished(state)) return;
    // Its beginning is no longer held as events. The page that the server makes has it all.
    if (isPartial) return location.reload();
    this.#leave();
    this.#view.part("stop").hidden = true;
    this.#view.part("retry").hidden = phase === "completed";
    document.querySelector(`replay-player[stage="${this.id}"]`).show();
  }

  // To be played again

  stage = {
    span: () => this.#span,
    at: async (moment) => {
      const steps = await this.#load();
      const place = steps.findIndex(({ timestamp }) => Date.parse(timestamp) >= moment);
      const behind = place < 0 ? steps.length : place;
      return { earlier: steps.slice(0, behind), items: steps.slice(behind), has_more: false };
    },
    after: () => ({ items: [], has_more: false }),
    begin: (earlier) => {
      this.#replayed = this.#span.first;
      this.#view.restart();
      for (const step of earlier) this.stage.show(step);
    },
    show: (step) => {
      this.#replayed = Date.parse(step.timestamp);
      this.#view.take(step);
    },
    end: () => {
      if (this.#steps) this.stage.begin(this.#steps);
      this.#replayed = null;
    },
  };

  get #span() {
    const { first, last } = this.dataset;
    return { first: Date.parse(first), last: Date.parse(last) };
  }

  async #load() {
    this.#steps ??= await stepsOfRun(this.getAttribute("project"), this.getAttribute("run"));
    return this.#steps;
  }

  /** Of a run that had ended before the page was made, the page does not know how it came about. */
  #learnSteps = async () => {
    if (this.#view.isDrawn || !this.isFinished || !this.#view.part("work").open) return;
    try {
      const steps = await this.#load();
      if (!this.#view.isDrawn) this.#view.learn(steps);
    } catch (error) {
      toast(error.message, { tone: "bad" });
    }
  };
}

customElements.define("run-answer", RunAnswer);
