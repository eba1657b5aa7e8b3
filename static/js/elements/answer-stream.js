// <answer-stream chat="ID" message="ID" status="pending"> holds the answer to a question, as the
// server wrote it. One that is not finished yet is followed from its beginning until its end: after
// a reload, in a second tab and after any break, the same steps make the same answer.

import * as chats from "../chat.js";
import { follow } from "../live.js";
import { isFinished } from "../stream/answer.js";
import { START } from "../stream/resume.js";
import { toast } from "../toast.js";
import { AnswerView } from "./answer-view.js";

class AnswerStream extends HTMLElement {
  #view = new AnswerView(this, { onDrawn: (...how) => this.#noteDrawn(...how) });
  #since = START;
  #leave = null;
  #mayGoOn = false; // another attempt was announced while this one was still followed

  connectedCallback() {
    this.#form.addEventListener("submit", this.#act);
    this.#view.part("work").addEventListener("toggle", this.#learnSteps);
    this.#view.wake();
    if (!this.isFinished) this.#follow();
  }

  disconnectedCallback() {
    this.#form.removeEventListener("submit", this.#act);
    this.#view.part("work").removeEventListener("toggle", this.#learnSteps);
    this.#view.sleep();
    this.#stopFollowing();
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
    this.#since = frame.id ?? this.#since;
    this.#view.take(frame);
  };

  #noteConnection = ({ phase, reason }) => {
    if (phase !== "stopped") return;
    this.#stopFollowing();
    const mayGoOn = this.#mayGoOn;
    this.#mayGoOn = false;
    if (reason === "ended" && mayGoOn) this.#follow();
  };

  #noteDrawn(state, { isOther }) {
    const { phase, isPartial } = state;
    const isNews = phase !== this.getAttribute("status");
    if (isNews) this.setAttribute("status", phase);
    if (isOther) this.#showWays(state);
    if (isOther && isPartial && isFinished(state)) this.#showStored();
    if (isNews) this.#tell(state);
  }

  /** The server no longer holds the steps that the answer began with, but it holds the answer. */
  async #showStored() {
    try {
      this.#view.part("text").text = (await chats.answerTo(this.#chat, this.#message)).content;
    } catch (error) {
      this.#view.say("error", error.message);
    }
  }

  #showWays(state) {
    const focused = document.activeElement;
    this.#view.part("stop").hidden = isFinished(state);
    this.#view.part("retry").hidden = state.phase !== "error" && state.phase !== "cancelled";
    // Who pressed a button that goes away comes to the one in its place.
    const isLeft = this.#form.contains(focused) && focused.hidden;
    if (isLeft) this.#form.querySelector("button:not([hidden])")?.focus();
  }

  /** Whoever hears the page hears the start and the end of an answer, and not each piece. */
  #tell({ phase, error, content }) {
    const agent = this.#view.part("agent").textContent;
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

  /** Of an answer that had ended before the page was made, the page does not know how it came about. */
  #learnSteps = async () => {
    if (this.#view.isDrawn || !this.#view.part("work").open) return;
    try {
      const steps = await chats.stepsOf(this.#message);
      if (!this.#view.isDrawn) this.#view.learn(steps);
    } catch (error) {
      toast(error.message, { tone: "bad" });
    }
  };
}

customElements.define("answer-stream", AnswerStream);
