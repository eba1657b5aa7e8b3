// <conversation-messages conversation="ID" since="EVENT_ID"> goes on from the messages that the
// server put into the page: further up and down as one scrolls, and with those that come.
//
// Whoever reads the end sees new messages come in and goes along. Whoever reads further up is left
// alone: what is new is counted on a button. It tells the page, too, what happens
// ("conversation-event") and when that was said which is being read ("conversation-moment").

import { follow } from "../live.js";
import { GAP } from "../stream/reduce.js";
import { toast } from "../toast.js";
import { MessagePages } from "./message-pages.js";
import { MessageReader } from "./message-reader.js";
import { compare, momentOf, placeOf, placeOfMessage, textOf } from "./message-row.js";
import { MOST_MESSAGES } from "./message-window.js";

const A_FRAME_MS = 8;
const REPLAYED_BEFORE = 20;
const TELLS_OF_END = new Set(["conversation.completed", "conversation.interrupted"]);
const TELLS_OF_MESSAGE = new Set(["message.created", "agent.message.appended"]);

class ConversationMessages extends HTMLElement {
  #reader = null;
  #leave = null;
  #since = null;
  #waiting = []; // messages that have come and are not decided on
  #unread = new Set();
  #drawing = null;
  #isReplaying = false;

  connectedCallback() {
    if (!this.#reader) this.#wake();
    this.addEventListener("click", this.#press);
    addEventListener("scroll", this.#drawSoon, { passive: true });
    addEventListener("resize", this.#drawSoon);
    addEventListener("hashchange", this.#goToHash);
    const stream = `conversation:${this.getAttribute("conversation")}`;
    this.#leave = follow(stream, { since: this.#since }, this.#take);
    this.#drawSoon();
  }

  disconnectedCallback() {
    this.#leave();
    this.removeEventListener("click", this.#press);
    removeEventListener("scroll", this.#drawSoon);
    removeEventListener("resize", this.#drawSoon);
    removeEventListener("hashchange", this.#goToHash);
    cancelAnimationFrame(this.#drawing);
    this.#drawing = null;
  }

  get #pages() {
    return new MessagePages(this.getAttribute("conversation"));
  }

  #wake() {
    this.#since = this.getAttribute("since");
    this.#reader = new MessageReader({
      list: this.querySelector(".messages"),
      template: this.querySelector("template"),
      pages: this.#pages,
      isEstimate: this.hasAttribute("estimate"),
      hasEarlier: this.hasAttribute("earlier"),
      hasLater: this.hasAttribute("later"),
      onChange: this.#drawSoon,
    });
    // What stands in the page is a part of it all: the browser would come back to another place.
    history.scrollRestoration = "manual";
    const target = this.#reader.window.itemOf(this.getAttribute("target"));
    if (target) this.#reader.pointAt(target);
    else if (this.hasAttribute("active") && !this.#reader.hasLater) this.#reader.scrollToEnd();
    this.#goToHash();
  }

  #part(name) {
    return this.querySelector(`[data-part="${name}"]`);
  }

  goToMoment(moment) {
    return this.#reader.goToMoment(moment);
  }

  #goToHash = () => {
    const [, id] = /^#m-(.+)$/.exec(location.hash) ?? [];
    if (id) this.#reader.goToMessage(decodeURIComponent(id));
  };

  // While it is played again, neither scrolling nor events bring messages

  stage = {
    span: () => this.querySelector("conversation-timeline").span,
    at: async (moment, size) => {
      const next = await this.#pages.at(moment, size);
      const { items: earlier } = await this.#pages.before(next.items[0]?.id ?? "", REPLAYED_BEFORE);
      return { ...next, earlier };
    },
    after: (id, size) => this.#pages.after(id, size),
    begin: (earlier) => this.#beginReplay(earlier),
    show: (message) => this.#replay(message),
    end: (moment) => this.#endReplay(moment),
  };

  #beginReplay(messages) {
    this.#isReplaying = true;
    this.#reader.show(messages, { hasEarlier: false, hasLater: false });
    this.#reader.scrollToEnd();
    this.#drawSoon();
  }

  #replay(message) {
    const goesAlong = this.#reader.isAtEnd;
    this.#reader.append([message]);
    if (goesAlong) this.#reader.scrollToEnd();
    this.#drawSoon();
  }

  #endReplay(moment) {
    this.#isReplaying = false;
    return this.goToMoment(moment);
  }

  // Following

  #take = (frame) => {
    this.#since = frame.id ?? this.#since;
    if (TELLS_OF_MESSAGE.has(frame.type)) this.#waiting.push(frame.data?.message ?? frame.message);
    // A page that is not seen draws nothing, for as long as it likes.
    const isFlooded = this.#waiting.length > MOST_MESSAGES && !this.#reader.isBusy;
    if (isFlooded && !this.#isReplaying) this.#leaveOut();
    if (frame.type === GAP) this.#catchUp();
    // What has ended while one looked on can be played again, too.
    if (TELLS_OF_END.has(frame.type)) this.querySelector("replay-player")?.show();
    this.dispatchEvent(new CustomEvent("conversation-event", { bubbles: true, detail: frame }));
    this.#drawSoon();
  };

  /** There is more than has room. The end is all of it that will be looked at. */
  #leaveOut() {
    for (const { id } of this.#waiting) this.#unread.add(id);
    this.#waiting = [];
    this.#catchUp();
  }

  /** Something was said, and is in the record, behind what is shown here. */
  #catchUp() {
    const goesAlong = this.#reader.isAtEnd;
    this.#reader.missSome();
    if (goesAlong) this.#reader.goToEnd();
  }

  #drawSoon = () => {
    this.#drawing ??= requestAnimationFrame(() => {
      this.#drawing = null;
      this.#draw();
    });
  };

  #draw() {
    if (!this.#reader.isBusy && !this.#isReplaying) {
      this.#takeIn();
      this.#reader.readOn();
    }
    if (this.#reader.isAtEnd && !this.#isReplaying) this.#unread.clear();
    this.#tell();
  }

  #takeIn() {
    if (this.#waiting.length > MOST_MESSAGES) return this.#leaveOut();
    const goesAlong = this.#reader.isAtEnd;
    const until = performance.now() + A_FRAME_MS;
    let heard = null;
    while (this.#waiting.length && performance.now() < until) {
      const message = this.#waiting.shift();
      if (this.#isNew(message, goesAlong)) heard = message;
    }
    if (heard && goesAlong) this.#reader.scrollToEnd();
    if (heard) this.#part("heard").textContent = `New message from ${speakerOf(heard)}`;
    if (this.#waiting.length) this.#drawSoon();
  }

  /** Shows a message, or counts it; says whether it was not known before. */
  #isNew(message, goesAlong) {
    const { window } = this.#reader;
    const there = window.itemOf(message.id);
    if (there) {
      window.renew(there, message);
      return false;
    }
    const place = placeOfMessage(message);
    if (window.first && compare(place, placeOf(window.first)) < 0 && this.#reader.hasEarlier) {
      return false;
    }
    if (window.last && compare(place, placeOf(window.last)) < 0) window.insert(message);
    else this.#addAtEnd(message, goesAlong);
    return true;
  }

  #addAtEnd(message, goesAlong) {
    if (!goesAlong) this.#unread.add(message.id);
    if (this.#reader.hasLater) return;
    if (!goesAlong && this.#reader.window.isFull) this.#reader.hasLater = true;
    else this.#reader.append([message]);
  }

  // Showing where one is

  #tell() {
    const { window, hasEarlier, hasLater } = this.#reader;
    const count = this.#isReplaying ? 0 : this.#unread.size;
    const more = this.#part("more");
    more.hidden = !count;
    more.textContent = `${count} new ${count === 1 ? "message" : "messages"}`;
    this.#tellOfEarlier(!hasEarlier || this.#isReplaying);
    this.#part("later").hidden = !hasLater || this.#isReplaying;
    this.#part("empty").hidden = window.first !== null || this.#isReplaying;
    const cover = this.querySelector(".reader").getBoundingClientRect().bottom;
    const read = window.firstBelow(Math.max(cover, 0)) ?? window.last;
    if (!read) return;
    this.dispatchEvent(new CustomEvent("conversation-moment", { detail: momentOf(read) }));
  }

  #tellOfEarlier(isHidden) {
    const way = this.#part("earlier");
    if (way.hidden === isHidden) return;
    // It stands above what is being read.
    this.#reader.window.keepingPlace(() => {
      way.hidden = isHidden;
    });
  }

  #press = (event) => {
    const name = event.target.closest("[data-part]")?.dataset.part;
    const item = event.target.closest(".message");
    const acts = {
      more: () => this.#goToNew(),
      first: () => this.#reader.goToBeginning(),
      last: () => this.#reader.goToEnd(),
      earlier: () => this.#reader.readEarlier(),
      later: () => this.#reader.readLater(),
      link: () => linkTo(item),
      copy: () => copy(textOf(item), "Message copied"),
    };
    // To open a link elsewhere is the browser's.
    if (!Object.hasOwn(acts, name) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    acts[name]();
  };

  async #goToNew() {
    await this.#reader.goToEnd();
    // The button goes away; whoever came by keyboard is to be among the messages and not nowhere.
    this.#reader.window.last?.focus({ preventScroll: true });
  }
}

function speakerOf({ agentName, agentType, role }) {
  return agentName || agentType || role || "somebody";
}

function linkTo(item) {
  const address = new URL(`?message=${encodeURIComponent(item.dataset.id)}`, location.href);
  history.replaceState(null, "", address);
  copy(address.href, "Link copied");
}

async function copy(text, words) {
  try {
    await navigator.clipboard.writeText(text);
    toast(words);
  } catch {
    toast("The browser does not let this page copy", { tone: "bad" });
  }
}

customElements.define("conversation-messages", ConversationMessages);
