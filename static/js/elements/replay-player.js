// <replay-player stage="ID"> plays what is over again as it happened: item by item, each as long
// after the one before it as it came, but for long pauses. The scrubber is the time it took.
//
// Where it is shown is a stage, which the element of that id has as `stage`:
//
//   span()              the first and the last moment, {first, last}
//   at(moment, size)    what had come by then, and the first of what comes: {earlier, items, has_more}
//   after(id, size)     what follows one of them: {items, has_more}
//   begin(earlier)      show these only
//   show(item)          and now this one; each has an id and a timestamp
//   end(moment)         all is as it was

import { toast } from "../toast.js";
import { momentAt, shareAt, waitBetween } from "./replay-clock.js";

const PAGE = 50;
const FEW_LEFT = 20;
const STEPS = 1000;
const SCRUBBED_FOR_MS = 150;

const times = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

class ReplayPlayer extends HTMLElement {
  #queue = []; // what comes next
  #hasMore = false;
  #isAsking = false;
  #lastId = ""; // of what came last, or waits last
  #moment = null; // of what came last
  #isPlaying = false;
  #timer = null;
  #scrubbing = null;
  #due = 0; // when the next of the queue is shown
  #run = 0; // counts the places from which it was played

  connectedCallback() {
    this.addEventListener("click", this.#press);
    this.#part("moment").addEventListener("input", this.#scrub);
    this.#part("speed").addEventListener("change", this.#goOn);
    this.hidden = this.hasAttribute("waits");
  }

  /** What it waited for has ended. */
  show() {
    this.hidden = false;
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    clearTimeout(this.#scrubbing);
    this.removeEventListener("click", this.#press);
    this.#part("moment").removeEventListener("input", this.#scrub);
    this.#part("speed").removeEventListener("change", this.#goOn);
  }

  get #stage() {
    return document.getElementById(this.getAttribute("stage")).stage;
  }

  #part(name) {
    return this.querySelector(`[data-part="${name}"]`);
  }

  #press = (event) => {
    const name = event.target.closest("button")?.dataset.part;
    if (name === "start") this.#start();
    if (name === "play") this.#setPlaying(!this.#isPlaying);
    if (name === "stop") this.#stop();
  };

  async #start() {
    this.#part("start").hidden = true;
    this.#part("player").hidden = false;
    this.#part("play").focus();
    this.#isPlaying = true;
    await this.#playFrom(this.#stage.span().first);
  }

  async #stop() {
    this.#setPlaying(false);
    clearTimeout(this.#scrubbing);
    this.#run += 1;
    this.#part("start").hidden = false;
    this.#part("player").hidden = true;
    await this.#stage.end(this.#moment ?? this.#stage.span().first);
    this.#part("start").focus({ preventScroll: true });
  }

  #setPlaying(isPlaying) {
    this.#isPlaying = isPlaying;
    // From its end it begins anew.
    if (isPlaying && !this.#queue.length && !this.#hasMore) this.#playFrom(this.#stage.span().first);
    else this.#goOn();
  }

  #scrub = () => {
    clearTimeout(this.#timer);
    clearTimeout(this.#scrubbing);
    this.#run += 1;
    const moment = momentAt(this.#part("moment").value / STEPS, this.#stage.span());
    this.#tell(moment);
    this.#scrubbing = setTimeout(() => this.#playFrom(moment), SCRUBBED_FOR_MS);
  };

  /** Show what had come up to a moment, and go on from there. */
  async #playFrom(moment) {
    clearTimeout(this.#timer);
    this.#run += 1;
    this.#queue = [];
    await this.#ask(() => this.#stage.at(moment, PAGE), ({ earlier, ...next }) => {
      this.#moment = earlier.length ? moment : null;
      this.#lastId = earlier.at(-1)?.id ?? "";
      this.#stage.begin(earlier);
      this.#enqueue(next);
    });
  }

  #askForMore() {
    return this.#ask(() => this.#stage.after(this.#lastId, PAGE), (next) => this.#enqueue(next));
  }

  /** What was asked for another place is dropped. */
  async #ask(question, take) {
    const run = this.#run;
    this.#isAsking = true;
    try {
      const answer = await question();
      if (run !== this.#run) return;
      take(answer);
    } catch {
      if (run !== this.#run) return;
      this.#isPlaying = false;
      toast("What comes next could not be loaded", { tone: "bad" });
    }
    this.#isAsking = false;
    this.#goOn();
  }

  #enqueue({ items, has_more: hasMore }) {
    this.#queue.push(...items);
    this.#lastId = items.at(-1)?.id ?? this.#lastId;
    this.#hasMore = hasMore;
  }

  #goOn = () => {
    this.#due = performance.now();
    this.#waitForNext();
  };

  #waitForNext() {
    clearTimeout(this.#timer);
    const wantsMore = this.#hasMore && this.#queue.length < FEW_LEFT;
    if (this.#isPlaying && wantsMore && !this.#isAsking) this.#askForMore();
    if (!this.#queue.length && !this.#isAsking) this.#isPlaying = false;
    this.#part("play").textContent = this.#isPlaying ? "Pause" : "Play";
    this.#tell(this.#moment ?? this.#stage.span().first);
    if (!this.#isPlaying || !this.#queue.length) return;
    this.#due += this.#waitForFirst();
    this.#timer = setTimeout(this.#step, this.#due - performance.now());
  }

  #waitForFirst() {
    const speed = Number(this.#part("speed").value);
    return waitBetween(this.#moment, Date.parse(this.#queue[0].timestamp), speed);
  }

  /** A timer is late by some milliseconds: what fell due with it comes along. */
  #step = () => {
    const now = performance.now();
    this.#showNext();
    while (this.#queue.length && this.#due + this.#waitForFirst() <= now) {
      this.#due += this.#waitForFirst();
      this.#showNext();
    }
    this.#waitForNext();
  };

  #showNext() {
    const item = this.#queue.shift();
    this.#moment = Date.parse(item.timestamp);
    this.#stage.show(item);
  }

  #tell(moment) {
    const scrubber = this.#part("moment");
    const words = times.format(moment);
    scrubber.value = Math.round(shareAt(moment, this.#stage.span()) * STEPS);
    scrubber.setAttribute("aria-valuetext", words);
    this.#part("time").textContent = words;
  }
}

customElements.define("replay-player", ReplayPlayer);
