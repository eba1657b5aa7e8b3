// Reading a conversation of any length: which part of it stands in the page, how one gets to
// another part, and that there is always more to scroll to. One change comes after the other.

import { toast } from "../toast.js";
import { MessageWindow } from "./message-window.js";

const PAGE = 40;
const BEFORE = 10; // of the messages around one, so many stand before it
const AHEAD_PX = 2000; // so far before an end is reached, the next page is asked for
const AT_END_PX = 40;
const A_FRAME_MS = 8; // what may be spent in one frame on putting messages in
const A_BIT = 4; // messages; each bit is one more place to round to whole pixels
const REST_MS = 5000; // after a page could not be had

export class MessageReader {
  hasEarlier;
  hasLater;
  window;
  #list;
  #pages;
  #onChange;
  #changes = 0; // under way or waiting for their turn
  #turn = Promise.resolve();
  #restsUntil = 0;

  constructor({ list, template, pages, isEstimate, hasEarlier, hasLater, onChange }) {
    this.hasEarlier = hasEarlier;
    this.hasLater = hasLater;
    this.window = new MessageWindow(list, template, { isEstimate });
    this.#list = list;
    this.#pages = pages;
    this.#onChange = onChange;
  }

  get isBusy() {
    return this.#changes > 0;
  }

  get isAtEnd() {
    const bottom = this.#list.getBoundingClientRect().bottom;
    return !this.hasLater && bottom <= document.documentElement.clientHeight + AT_END_PX;
  }

  goToEnd() {
    return this.#change(async () => this.#showEnd(await this.#pages.before("", PAGE)));
  }

  goToBeginning() {
    return this.#change(async () => {
      const { items, has_more: hasLater } = await this.#pages.after("", PAGE);
      this.show(items, { hasEarlier: false, hasLater });
      this.window.first?.scrollIntoView({ behavior: "instant", block: "start" });
    });
  }

  goToMessage(id) {
    return this.#change(async () => {
      const there = this.window.itemOf(id);
      if (there) this.pointAt(there);
      else await this.#showAround(await this.#pages.from(id, PAGE));
    });
  }

  goToMoment(moment) {
    return this.#change(async () => {
      const found = await this.#pages.at(moment, PAGE);
      if (found.items.length) await this.#showAround(found);
      else this.#showEnd(await this.#pages.before("", PAGE));
    });
  }

  /** Where an end of what stands in the page is near, read on. */
  readOn() {
    if (this.isBusy || Date.now() < this.#restsUntil) return;
    const { top, bottom } = this.#list.getBoundingClientRect();
    if (this.hasLater && bottom < innerHeight + AHEAD_PX) this.readLater();
    else if (this.hasEarlier && top > -AHEAD_PX) this.readEarlier();
  }

  readLater() {
    return this.#change(async () => {
      const page = await this.#pages.after(this.window.last?.dataset.id ?? "", PAGE);
      await bitByBit(page.items, (some) => this.append(some));
      this.hasLater = page.has_more;
    });
  }

  readEarlier() {
    return this.#change(async () => {
      const page = await this.#pages.before(this.window.first?.dataset.id ?? "", PAGE);
      await bitByBit(page.items.reverse(), (some) => {
        if (this.window.prepend(some.reverse())) this.hasLater = true;
      });
      this.hasEarlier = page.has_more;
    });
  }

  append(messages) {
    if (this.window.append(messages)) this.hasEarlier = true;
  }

  /** There is more than was told: after what is under way, as that may not have seen it. */
  missSome() {
    return this.#change(async () => {
      this.hasLater = true;
    });
  }

  show(messages, { hasEarlier, hasLater }) {
    this.window.show(messages);
    this.hasEarlier = hasEarlier;
    this.hasLater = hasLater;
  }

  pointAt(item) {
    for (const one of this.#list.querySelectorAll(".message--meant")) {
      one.classList.remove("message--meant");
    }
    item.classList.add("message--meant");
    item.scrollIntoView({ behavior: "instant", block: "start" });
    item.focus({ preventScroll: true });
  }

  scrollToEnd() {
    this.window.last?.scrollIntoView({ behavior: "instant", block: "end" });
  }

  #showEnd({ items, has_more: hasEarlier }) {
    this.show(items, { hasEarlier, hasLater: false });
    this.scrollToEnd();
  }

  async #showAround({ items, has_more: hasLater }) {
    const { items: earlier, has_more: hasEarlier } = await this.#pages.before(items[0].id, BEFORE);
    this.show([...earlier, ...items], { hasEarlier, hasLater });
    this.pointAt(this.window.itemOf(items[0].id));
  }

  #change(change) {
    this.#changes += 1;
    this.#turn = this.#turn.then(async () => {
      try {
        await change();
      } catch {
        this.#restsUntil = Date.now() + REST_MS;
        setTimeout(this.#onChange, REST_MS);
        toast("The messages could not be loaded");
      }
      this.#changes -= 1;
      this.#onChange();
    });
    return this.#turn;
  }
}

/** Put messages in a few at a time, so that scrolling stays smooth. */
async function bitByBit(messages, put) {
  let until = performance.now() + A_FRAME_MS;
  for (let place = 0; place < messages.length; place += A_BIT) {
    if (performance.now() > until) {
      await new Promise(requestAnimationFrame);
      until = performance.now() + A_FRAME_MS;
    }
    put(messages.slice(place, place + A_BIT));
  }
}
