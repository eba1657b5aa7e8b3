// <answer-stream chat="ID" message="ID" status="pending"> holds the answer to a question, as the
// server wrote it. One that is not finished yet is followed from its beginning until its end: after
// a reload, in a second tab and after any break, the same steps make the same answer.

import * as chats from "../chat.js";
import { follow } from "../live.js";
import { activityOf, emptyAnswer, isFinished, reduceAnswer } from "../stream/answer.js";
import { START } from "../stream/resume.js";
import { toast } from "../toast.js";
import { showPlan, showThoughts, showTools } from "./answer-work.js";
import { elapsedWords, PHASES, spentWords, workWords } from "./answer-words.js";
import "./markdown-text.js";

const SECOND_MS = 1000;

class AnswerStream extends HTMLElement {
  #state = emptyAnswer;
  #shown = null; // the part of the state that stands in the page
  #said = ""; // what has come of its content since then
  #since = START;
  #leave = null;
  #mayGoOn = false; // another attempt was announced while this one was still followed
  #drawing = null;
  #clock = null;
  #isOpenedByReader = false;
  #isOpenedByUs = false;

  connectedCallback() {
    this.#form.addEventListener("submit", this.#act);
    this.#part("copy").addEventListener("click", this.#copy);
    this.#part("work").addEventListener("toggle", this.#learnSteps);
    this.#part("work").firstElementChild.addEventListener("click", this.#noteReader);
    this.#part("copy").hidden = !navigator.clipboard || !this.#text.text;
    if (!this.isFinished) this.#follow();
  }

  disconnectedCallback() {
    this.#form.removeEventListener("submit", this.#act);
    this.#part("copy").removeEventListener("click", this.#copy);
    this.#part("work").removeEventListener("toggle", this.#learnSteps);
    this.#part("work").firstElementChild.removeEventListener("click", this.#noteReader);
    this.#stopFollowing();
    clearInterval(this.#clock);
    cancelAnimationFrame(this.#drawing);
    this.#drawing = null;
  }

  get isFinished() {
    return isFinished({ phase: this.getAttribute("status") });
  }

  /** There is another attempt. */
  goOn() {
    if (this.#leave) this.#mayGoOn = true;
    else this.#follow();
  }

  get #chat() {
    return this.getAttribute("chat");
  }

  get #message() {
    return this.getAttribute("message");
  }

  get #form() {
    return this.querySelector("form");
  }

  get #text() {
    return this.#part("text");
  }

  #part(name) {
    return this.querySelector(`[data-part="${name}"]`);
  }

  // What comes

  #follow() {
    const options = { since: this.#since, onState: this.#noteConnection };
    this.#leave = follow(`message:${this.#message}`, options, this.#take);
  }

  #stopFollowing() {
    this.#leave?.();
    this.#leave = null;
  }

  #take = (frame) => {
    const before = this.#state;
    this.#since = frame.id ?? this.#since;
    this.#state = reduceAnswer(before, frame);
    if (this.#state.restarts !== before.restarts) this.#said = "";
    // Pieces as they come: those cut out of the whole would keep alive each whole they are cut from.
    else if (this.#state.content !== before.content) this.#said += frame.md;
    this.#drawSoon();
  };

  #noteConnection = ({ phase, reason }) => {
    if (phase !== "stopped") return;
    this.#stopFollowing();
    const mayGoOn = this.#mayGoOn;
    this.#mayGoOn = false;
    if (reason === "ended" && mayGoOn) this.#follow();
  };

  // What is shown

  #drawSoon() {
    this.#drawing ??= requestAnimationFrame(() => {
      this.#drawing = null;
      this.#draw();
    });
  }

  #draw() {
    const { phase, error, usage } = this.#state;
    const isOther = phase !== this.#shown?.phase;
    const isNews = phase !== this.getAttribute("status");
    if (isOther) this.#drawPhase();
    this.#say("doing", doingWords(this.#state));
    this.#drawWork();
    this.#drawText();
    this.#say("error", error ?? "");
    this.#say("spent", spentWords(usage));
    if (isOther) this.#drawControls();
    this.#shown = this.#state;
    if (isNews) this.#tell();
  }

  #drawPhase() {
    const { phase } = this.#state;
    this.setAttribute("status", phase);
    const badge = this.#part("badge");
    badge.dataset.status = phase;
    badge.textContent = PHASES[phase] ?? phase;
    badge.hidden = phase === "completed";
    this.#text.setAttribute("aria-busy", !isFinished(this.#state));
    clearInterval(this.#clock);
    if (phase === "processing") this.#clock = setInterval(this.#drawClock, SECOND_MS);
    else this.#part("clock").textContent = "";
  }

  #drawClock = () => {
    // The clocks of server and reader may differ.
    const elapsedMs = Math.max(Date.now() - this.#state.startedAt, 0);
    this.#part("clock").textContent = elapsedWords(elapsedMs);
  };

  #drawWork() {
    const { plan, toolCalls, thoughts } = this.#state;
    if (plan !== this.#shown?.plan) showPlan(this.#part("plan"), plan);
    if (toolCalls !== this.#shown?.toolCalls) showTools(this.#part("tools"), toolCalls);
    if (thoughts !== this.#shown?.thoughts) showThoughts(this.#part("thinking"), thoughts);
    if (this.#isOpenedByReader) return;
    const work = this.#part("work");
    if (plan.length && !isFinished(this.#state)) work.open = this.#isOpenedByUs = true;
    else if (this.#isOpenedByUs && !isInUse(work)) work.open = this.#isOpenedByUs = false;
  }

  #drawText() {
    const { restarts, isPartial } = this.#state;
    if (restarts !== this.#shown?.restarts) this.#text.text = "";
    if (this.#said) this.#text.write(this.#said);
    this.#said = "";
    if (!isFinished(this.#state)) return;
    this.#text.close();
    if (isPartial) this.#showStored();
  }

  /** The server no longer holds the steps that the answer began with, but it holds the answer. */
  async #showStored() {
    try {
      this.#text.text = (await chats.answerTo(this.#chat, this.#message)).content;
    } catch (error) {
      this.#say("error", error.message);
    }
  }

  #drawControls() {
    const { phase, content } = this.#state;
    const focused = document.activeElement;
    this.#part("stop").hidden = isFinished(this.#state);
    this.#part("retry").hidden = phase !== "error" && phase !== "cancelled";
    this.#part("copy").hidden = !navigator.clipboard || !content || !isFinished(this.#state);
    // Who pressed a button that goes away comes to the one in its place.
    const isLeft = this.#form.contains(focused) && focused.hidden;
    if (isLeft) this.#form.querySelector("button:not([hidden])")?.focus();
  }

  #say(name, words) {
    const place = this.#part(name);
    if (place.textContent !== words) place.textContent = words;
    place.hidden = !words;
  }

  /** Whoever hears the page hears the start and the end of an answer, and not each piece. */
  #tell() {
    const agent = this.#part("agent").textContent;
    const { phase, error, content } = this.#state;
    const detail = { agent, phase, error, content };
    this.dispatchEvent(new CustomEvent("answer-told", { bubbles: true, detail }));
  }

  // What the reader does

  #act = async (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    try {
      await chats[button.name](this.#chat, this.#message);
      if (button.name === "retry") this.goOn();
    } catch (error) {
      // It came to its end, or was tried again, before: which is about to be shown.
      if (error.status !== 409) toast(error.message, { tone: "bad" });
    } finally {
      button.ariaDisabled = null;
    }
  };

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

  /** Of an answer that had ended before the page was made, the page does not know how it came about. */
  #learnSteps = async () => {
    if (this.#shown || !this.#part("work").open) return;
    try {
      const steps = await chats.stepsOf(this.#message);
      if (this.#shown) return;
      const state = steps.reduce(reduceAnswer, emptyAnswer);
      showPlan(this.#part("plan"), state.plan);
      showThoughts(this.#part("thinking"), state.thoughts);
    } catch (error) {
      toast(error.message, { tone: "bad" });
    }
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

customElements.define("answer-stream", AnswerStream);
