// <chat-thread stream="conversation:ID" since="EVENT_ID"> goes on with a chat where the server's
// page ends: questions come in wherever they are asked, and each answer looks after itself.
//
// A reader at the end is kept there; one who has scrolled up is left alone.

import { runPage } from "../addresses.js";
import { hueOf } from "../hue.js";
import { follow } from "../live.js";
import { GAP } from "../stream/reduce.js";
import { announcement, showLocalTime } from "./answer-words.js";
import "./answer-stream.js";
import "./chat-box.js";
import "./chat-header.js";

const TYPES = ["message.created", "agent.run.created", "conversation.updated", "conversation.deleted"];
const NEAR_END_PX = 60;

class ChatThread extends HTMLElement {
  #since = null;
  #leave = null;
  #isAtEnd = true;
  #growth = new ResizeObserver(() => this.#keepAtEnd());

  connectedCallback() {
    for (const time of this.querySelectorAll("time")) showLocalTime(time);
    if (!this.hasAttribute("stream")) return;
    this.#since ??= this.getAttribute("since");
    const options = { since: this.#since, types: TYPES };
    this.#leave = follow(this.getAttribute("stream"), options, this.#take);
    this.addEventListener("asked", this.#noteAsked);
    this.addEventListener("answer-told", this.#announce);
    this.#down.addEventListener("click", this.#goDown);
    addEventListener("scroll", this.#noteScroll, { passive: true });
    this.#isAtEnd = !location.hash.startsWith("#m-");
    this.#growth.observe(this);
  }

  disconnectedCallback() {
    this.#leave?.();
    this.#growth.disconnect();
    this.removeEventListener("asked", this.#noteAsked);
    this.removeEventListener("answer-told", this.#announce);
    this.#down?.removeEventListener("click", this.#goDown);
    removeEventListener("scroll", this.#noteScroll);
  }

  get #list() {
    return this.querySelector(".thread");
  }

  get #box() {
    return this.querySelector("chat-box");
  }

  get #header() {
    return document.querySelector("chat-header");
  }

  get #down() {
    return this.querySelector(".thread__down");
  }

  // What comes

  #take = (frame) => {
    this.#since = frame.id ?? this.#since;
    switch (frame.type) {
      case "message.created":
        return this.#takeMessage(frame.data.message);
      case "agent.run.created":
        return this.#takeRun(frame.run);
      case "conversation.updated":
        return this.#header.show(frame.data.conversation.name);
      case "conversation.deleted":
        this.#header.close();
        return this.#box.close("This chat was deleted");
      case GAP:
        // What was missed is no longer held as events. The page that the server makes has it all.
        return location.reload();
    }
  };

  #takeMessage({ id, role, content, agentName, timestamp, sequenceNumber }) {
    if (role !== "user") return; // of answers their own streams tell
    const exchange = this.#exchangeOf(id) ?? this.#add(id, content, sequenceNumber);
    exchange.dataset.number = sequenceNumber;
    say(exchange, "asker", agentName);
    this.#setTime(exchange, timestamp);
    this.#box.noteAsked(content);
  }

  #takeRun({ id, messageId, agentId, agentName }) {
    const exchange = this.#exchangeOf(messageId);
    if (!exchange) return;
    const agent = say(exchange, "agent", agentName);
    agent.dataset.hue = hueOf(agentId);
    const run = exchange.querySelector('[data-part="run"]');
    run.href = runPage(id);
    run.hidden = false;
    exchange.querySelector("answer-stream").goOn();
  }

  #noteAsked = ({ detail: { message, content } }) => {
    this.#isAtEnd = true;
    const exchange = this.#exchangeOf(message) ?? this.#add(message, content, Infinity);
    exchange.scrollIntoView({ block: "nearest" });
  };

  // The list

  #exchangeOf(message) {
    return this.#list.querySelector(`[data-message="${CSS.escape(message)}"]`);
  }

  /** Questions stand in the order in which the server has taken them. */
  #add(message, content, number) {
    const template = this.querySelector("template");
    const exchange = template.content.firstElementChild.cloneNode(true);
    exchange.id = `m-${message}`;
    exchange.dataset.message = message;
    exchange.dataset.number = number;
    exchange.querySelector("answer-stream").setAttribute("message", message);
    say(exchange, "question", content);
    this.#setTime(exchange, new Date().toISOString());
    const later = Array.from(this.#list.children).find(({ dataset }) => dataset.number > number);
    this.#list.insertBefore(exchange, later ?? null);
    this.querySelector(".thread__empty")?.remove();
    return exchange;
  }

  #setTime(exchange, timestamp) {
    const time = exchange.querySelector('[data-part="asked"]');
    time.dateTime = timestamp;
    showLocalTime(time);
  }

  // Where the reader is

  #noteScroll = () => {
    const { scrollHeight } = document.documentElement;
    this.#isAtEnd = scrollY + innerHeight >= scrollHeight - NEAR_END_PX;
    if (this.#isAtEnd) this.#down.hidden = true;
  };

  #keepAtEnd() {
    if (this.#isAtEnd) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
    else this.#down.hidden = false;
  }

  #goDown = () => {
    this.#isAtEnd = true;
    this.#down.hidden = true;
    this.#keepAtEnd();
    this.#box.querySelector("textarea").focus({ preventScroll: true });
  };

  #announce = ({ detail }) => {
    const words = announcement(detail);
    if (words) this.querySelector(".thread__news").textContent = words;
  };
}

function say(exchange, part, words) {
  const place = exchange.querySelector(`[data-part="${part}"]`);
  place.textContent = words;
  return place;
}

customElements.define("chat-thread", ChatThread);
