// An answer in the page, as its steps make it: drawn once a frame, however many of them come. What
// of it stands in the page already is left alone, with whatever somebody has marked or opened there.

import { activityOf, emptyAnswer, isFinished, reduceAnswer } from "../stream/answer.js";
import { toast } from "../toast.js";
import { showPlan, showThoughts, showTools } from "./answer-work.js";
import { elapsedWords, PHASES, spentWords, workWords } from "./answer-words.js";
import "./markdown-text.js";

const SECOND_MS = 1000;

export class AnswerView {
  #place;
  #now;
  #onDrawn;
  #state = emptyAnswer;
  #shown = null; // the part of the state that stands in the page
  #said = ""; // what has come of its content since then
  #drawing = null;
  #clock = null;
  #isOpenedByReader = false;
  #isOpenedByUs = false;

  /** `now` is the time by which its clock goes; `onDrawn` is called with the state. */
  constructor(place, { now = Date.now, onDrawn = () => {} } = {}) {
    this.#place = place;
    this.#now = now;
    this.#onDrawn = onDrawn;
  }

  wake() {
    this.part("copy").addEventListener("click", this.#copy);
    this.part("copy").hidden = !navigator.clipboard || !this.#text.text;
    this.part("work").firstElementChild.addEventListener("click", this.#noteReader);
  }

  sleep() {
    this.part("copy").removeEventListener("click", this.#copy);
    this.part("work").firstElementChild.removeEventListener("click", this.#noteReader);
    clearInterval(this.#clock);
    cancelAnimationFrame(this.#drawing);
    this.#drawing = null;
  }

  part(name) {
    return this.#place.querySelector(`[data-part="${name}"]`);
  }

  say(name, words) {
    const place = this.part(name);
    if (place.textContent !== words) place.textContent = words;
    place.hidden = !words;
  }

  /** Whether it shows steps, and not only what the server has made of them. */
  get isDrawn() {
    return this.#shown !== null;
  }

  take(step) {
    const before = this.#state;
    this.#state = reduceAnswer(before, step);
    if (this.#state.restarts !== before.restarts) this.#said = "";
    // Pieces as they come: those cut out of the whole would keep alive each whole they are cut from.
    else if (this.#state.content !== before.content) this.#said += step.md;
    this.#drawSoon();
  }

  /** Nothing of it has come yet. */
  restart() {
    this.#said = "";
    this.#state = { ...emptyAnswer, restarts: this.#state.restarts + 1 };
    this.#drawSoon();
  }

  /** Of an answer that has ended, how it came about; what it says stands there already. */
  learn(steps) {
    const { plan, thoughts } = steps.reduce(reduceAnswer, emptyAnswer);
    showPlan(this.part("plan"), plan);
    showThoughts(this.part("thinking"), thoughts);
  }

  get #text() {
    return this.part("text");
  }

  #drawSoon() {
    this.#drawing ??= requestAnimationFrame(() => {
      this.#drawing = null;
      this.#draw();
    });
  }

  #draw() {
    const { phase, error, usage } = this.#state;
    const isOther = phase !== this.#shown?.phase;
    if (isOther) this.#drawPhase();
    this.say("doing", doingWords(this.#state));
    this.#drawWork();
    this.#drawText();
    this.say("error", error ?? "");
    this.say("spent", spentWords(usage));
    this.part("copy").hidden = !navigator.clipboard || !this.#canBeCopied;
    this.#shown = this.#state;
    this.#onDrawn(this.#state, { isOther });
  }

  get #canBeCopied() {
    return isFinished(this.#state) && this.#state.content;
  }

  #drawPhase() {
    const { phase } = this.#state;
    const badge = this.part("badge");
    badge.dataset.status = phase;
    badge.textContent = PHASES[phase] ?? phase;
    badge.hidden = phase === "completed";
    this.#text.setAttribute("aria-busy", !isFinished(this.#state));
    clearInterval(this.#clock);
    if (phase === "processing") this.#clock = setInterval(this.#drawClock, SECOND_MS);
    else this.part("clock").textContent = "";
  }

  #drawClock = () => {
    // The clocks of server and reader may differ.
    const elapsedMs = Math.max(this.#now() - this.#state.startedAt, 0);
    this.part("clock").textContent = elapsedWords(elapsedMs);
  };

  #drawWork() {
    const { plan, toolCalls, thoughts } = this.#state;
    if (plan !== this.#shown?.plan) showPlan(this.part("plan"), plan);
    if (toolCalls !== this.#shown?.toolCalls) showTools(this.part("tools"), toolCalls);
    if (thoughts !== this.#shown?.thoughts) showThoughts(this.part("thinking"), thoughts);
    if (this.#isOpenedByReader) return;
    const work = this.part("work");
    if (plan.length && !isFinished(this.#state)) work.open = this.#isOpenedByUs = true;
    else if (this.#isOpenedByUs && !isInUse(work)) work.open = this.#isOpenedByUs = false;
  }

  #drawText() {
    const { restarts } = this.#state;
    if (restarts !== this.#shown?.restarts) this.#text.text = "";
    if (this.#said) this.#text.write(this.#said);
    this.#said = "";
    if (isFinished(this.#state)) this.#text.close();
  }

  #copy = async () => {
    try {
      await navigator.clipboard.writeText(this.#text.text);
      toast("Copied");
    } catch {
      toast("The browser does not let the page copy: mark the text and copy it by hand");
    }
  };

  #noteReader = () => {
    this.#isOpenedByReader = true;
  };
}

function doingWords(state) {
  if (isFinished(state)) return workWords(state);
  return state.phase === "pending" ? "Waits for its turn" : activityOf(state);
}

/** Somebody is in there: by keyboard, or with something marked. */
function isInUse(place) {
  const selection = getSelection();
  const hasMarked = !selection.isCollapsed && selection.containsNode(place, true);
  return hasMarked || place.contains(document.activeElement);
}
