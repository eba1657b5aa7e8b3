// <chat-list stream="project:ID" since="EVENT_ID" newest> keeps the list of chats up: which of them
// an agent answers in, what they are called, and those that are opened elsewhere.
//
// Which chats are the reader's only the server knows. So for a new one it is asked for its own page,
// and the rows that are missing here are taken over from there.

import { follow } from "../live.js";
import { Refresher } from "../refresher.js";
import { GAP } from "../stream/reduce.js";
import { showLocalTime } from "./answer-words.js";

const OF_CHATS = ["conversation.started", "conversation.updated", "conversation.deleted"];
const TYPES = ["agent.run.*", ...OF_CHATS];

class ChatList extends HTMLElement {
  #since = null;
  #leave = null;
  #refresher = null;
  #running = new Map(); // chat → its runs that have not ended

  connectedCallback() {
    for (const time of this.querySelectorAll("time")) showLocalTime(time);
    this.#since ??= this.getAttribute("since");
    this.#refresher = new Refresher(() => this.#takeOver());
    const options = { since: this.#since, types: TYPES };
    this.#leave = follow(this.getAttribute("stream"), options, this.#take);
  }

  disconnectedCallback() {
    this.#leave();
    this.#refresher.close();
  }

  get #list() {
    return this.querySelector("ul");
  }

  #take = (frame) => {
    this.#since = frame.id ?? this.#since;
    switch (frame.type) {
      case GAP:
        return location.reload();
      case "conversation.started":
        return this.#noteOpened(frame.data.conversation);
      case "conversation.updated":
        return this.#rename(frame.data.conversation);
      case "conversation.deleted":
        return this.#itemOf(frame.data.conversationId)?.remove();
      default:
        return this.#note(frame.run, frame.timestamp);
    }
  };

  #itemOf(chat) {
    return this.querySelector(`[data-chat="${CSS.escape(chat ?? "")}"]`);
  }

  #noteOpened({ kind }) {
    if (kind === "chat" && this.hasAttribute("newest")) this.#refresher.soon();
  }

  async #takeOver() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const rows = [...page.querySelectorAll("chat-list li")];
    // Those that are here stay where they are: somebody may be about to press one.
    const fresh = rows.filter((row) => !this.#itemOf(row.dataset.chat));
    for (const row of fresh) for (const time of row.querySelectorAll("time")) showLocalTime(time);
    this.#list.prepend(...fresh);
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
