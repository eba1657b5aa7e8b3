// <chat-list stream="project:ID" since="EVENT_ID"> keeps the list of chats up: which of them an
// agent answers in, and what they are called.

import { follow } from "../live.js";
import { GAP } from "../stream/reduce.js";
import { showLocalTime } from "./answer-words.js";

const TYPES = ["agent.run.*", "conversation.updated", "conversation.deleted"];

class ChatList extends HTMLElement {
  #since = null;
  #leave = null;
  #running = new Map(); // chat → its runs that have not ended

  connectedCallback() {
    for (const time of this.querySelectorAll("time")) showLocalTime(time);
    this.#since ??= this.getAttribute("since");
    const options = { since: this.#since, types: TYPES };
    this.#leave = follow(this.getAttribute("stream"), options, this.#take);
  }

  disconnectedCallback() {
    this.#leave();
  }

  #take = (frame) => {
    this.#since = frame.id ?? this.#since;
    if (frame.type === GAP) location.reload();
    else if (frame.type === "conversation.updated") this.#rename(frame.data.conversation);
    else if (frame.type === "conversation.deleted") this.#itemOf(frame.data.conversationId)?.remove();
    else this.#note(frame.run, frame.timestamp);
  };

  #itemOf(chat) {
    return this.querySelector(`[data-chat="${CSS.escape(chat ?? "")}"]`);
  }

  #rename({ id, name }) {
    const item = this.#itemOf(id);
    if (item) item.querySelector("a").textContent = name;
  }

  #note({ id, conversationId: chat, finishedAt }, timestamp) {
    const item = this.#itemOf(chat);
    if (!item) return;
    const runs = this.#running.get(chat) ?? new Set();
    this.#running.set(chat, runs);
    if (finishedAt) runs.delete(id);
    else runs.add(id);
    item.querySelector(".badge").hidden = !runs.size;
    const time = item.querySelector("time");
    time.dateTime = timestamp;
    showLocalTime(time);
  }
}

customElements.define("chat-list", ChatList);
