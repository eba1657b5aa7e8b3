// <conversation-replay> plays what is over again as it happened: message by message, each as long
// after the one before it as it came, but for long pauses. The scrubber is the time it took.

import { toast } from "../toast.js";
import { momentAt, shareAt, waitBetween } from "./conversation-clock.js";
import { MessagePages } from "./message-pages.js";

const PAGE = 50;
const FEW_LEFT = 20;
const BEFORE = 20;
const STEPS = 1000;
const SCRUBBED_FOR_MS = 150;

const times = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

class ConversationReplay extends HTMLElement {
  #messages = null;
  #pages = null;
  #queue = []; // what comes next
  #hasMore = false;
  #isAsking = false;
  #lastId = ""; // of the message that came last, or waits last
  #moment = null; // of the message that came last
  #isPlaying = false;
  #timer = null;
  #run = 0; // counts the places from which it was played

  connectedCallback() {
    this.#messages = this.closest("conversation-messages");
    this.#pages = new MessagePages(this.#messages.getAttribute("conversation"));
    this.hidden = this.#messages.hasAttribute("active");
    this.addEventListener("click", this.#press);
    this.#part("moment").addEventListener("input", this.#scrub);
    this.#part("speed").addEventListener("change", this.#goOn);
    document.addEventListener("conversation-event", this.#listen);
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.removeEventListener("click", this.#press);
    this.#part("moment").removeEventListener("input", this.#scrub);
    this.#part("speed").removeEventListener("change", this.#goOn);
    document.removeEventListener("conversation-event", this.#listen);
  }

  get #span() {
    return this.#messages.querySelector("conversation-timeline").span;
  }

  #part(name) {
    return this.querySelector(`[data-part="${name}"]`);
  }

  /** What has ended while one looked on can be played again, too. */
  #listen = ({ detail: { type } }) => {
    if (["conversation.completed", "conversation.interrupted"].includes(type)) this.hidden = false;
  };

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
    await this.#playFrom(this.#span.first);
  }

  async #stop() {
    this.#setPlaying(false);
    this.#run += 1;
    this.#part("start").hidden = false;
    this.#part("player").hidden = true;
    await this.#messages.endReplay(this.#moment ?? this.#span.first);
    this.#part("start").focus({ preventScroll: true });
  }

  #setPlaying(isPlaying) {
    this.#isPlaying = isPlaying;
    // From its end it begins anew.
    if (isPlaying && !this.#queue.length && !this.#hasMore) this.#playFrom(this.#span.first);
    else this.#goOn();
  }

  #scrub = () => {
    clearTimeout(this.#timer);
    const moment = momentAt(this.#part("moment").value / STEPS, this.#span);
    this.#tell(moment);
    this.#timer = setTimeout(() => this.#playFrom(moment), SCRUBBED_FOR_MS);
  };

  /** Show what had been said up to a moment, and go on from there. */
  async #playFrom(moment) {
    clearTimeout(this.#timer);
    this.#run += 1;
    this.#queue = [];
    await this.#ask(async () => {
      const next = await this.#pages.at(moment, PAGE);
      const before = await this.#pages.before(next.items[0]?.id ?? "", BEFORE);
      return { next, earlier: before.items };
    }, ({ next, earlier }) => {
      this.#moment = earlier.length ? moment : null;
      this.#lastId = earlier.at(-1)?.id ?? "";
      this.#messages.beginReplay(earlier);
      this.#enqueue(next);
    });
  }

  #askForMore() {
    return this.#ask(() => this.#pages.after(this.#lastId, PAGE), (next) => this.#enqueue(next));
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
      toast("The messages could not be loaded");
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
    clearTimeout(this.#timer);
    const wantsMore = this.#hasMore && this.#queue.length < FEW_LEFT;
    if (this.#isPlaying && wantsMore && !this.#isAsking) this.#askForMore();
    if (!this.#queue.length && !this.#isAsking) this.#isPlaying = false;
    this.#part("play").textContent = this.#isPlaying ? "Pause" : "Play";
    this.#tell(this.#moment ?? this.#span.first);
    if (!this.#isPlaying || !this.#queue.length) return;
    const speed = Number(this.#part("speed").value);
    const next = Date.parse(this.#queue[0].timestamp);
    this.#timer = setTimeout(this.#step, waitBetween(this.#moment, next, speed));
  };

  #step = () => {
    const message = this.#queue.shift();
    this.#moment = Date.parse(message.timestamp);
    this.#messages.replay(message);
    this.#goOn();
  };

  #tell(moment) {
    const scrubber = this.#part("moment");
    const words = times.format(moment);
    scrubber.value = Math.round(shareAt(moment, this.#span) * STEPS);
    scrubber.setAttribute("aria-valuetext", words);
    this.#part("time").textContent = words;
  }
}

customElements.define("conversation-replay", ConversationReplay);
