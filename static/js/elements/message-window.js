// The messages that stand in the page: some of a conversation that may be of any length. What
// comes in at one end pushes out what is far away at the other, and what is being read stays in
// its place.

import { compare, fillMessage, makeMessage, placeOf, placeOfMessage, wake } from "./message-row.js";

export const MOST_MESSAGES = 200;
const FAR_PX = 2500;

export class MessageWindow {
  #list;
  #template;
  #options;

  constructor(list, template, options) {
    this.#list = list;
    this.#template = template;
    this.#options = options;
    for (const item of list.children) wake(item);
  }

  get first() {
    return this.#list.firstElementChild;
  }

  get last() {
    return this.#list.lastElementChild;
  }

  get isFull() {
    return this.#list.children.length >= MOST_MESSAGES;
  }

  itemOf(id) {
    return [...this.#list.children].find((item) => item.dataset.id === id);
  }

  /** The first message that is seen below something that covers the top. */
  firstBelow(top) {
    return [...this.#list.children].find((item) => item.getBoundingClientRect().bottom > top);
  }

  show(messages) {
    this.#list.replaceChildren(...messages.map((message) => this.#make(message)));
    this.#markTurns();
  }

  /** Says whether messages had to go at the beginning. */
  append(messages) {
    return this.keepingPlace(() => {
      this.#list.append(...this.#unknown(messages));
      return this.#drop(() => this.first, (box) => box.bottom < -FAR_PX);
    });
  }

  /** Says whether messages had to go at the end. */
  prepend(messages) {
    return this.keepingPlace(() => {
      this.#list.prepend(...this.#unknown(messages));
      return this.#drop(() => this.last, (box) => box.top > innerHeight + FAR_PX);
    });
  }

  /** Put a message that came late where it belongs. */
  insert(message) {
    const place = placeOfMessage(message);
    const next = [...this.#list.children].find((item) => compare(placeOf(item), place) > 0);
    this.keepingPlace(() => this.#list.insertBefore(this.#make(message), next ?? null));
  }

  renew(item, message) {
    this.keepingPlace(() => fillMessage(item, message, this.#options));
  }

  /** Not every browser does it by itself, and none does both halves of it at once. */
  keepingPlace(change) {
    const seen = this.firstBelow(0);
    const before = seen?.getBoundingClientRect().top;
    const answer = change();
    this.#markTurns();
    if (seen?.isConnected) {
      const moved = seen.getBoundingClientRect().top - before;
      if (moved) scrollBy({ top: moved, behavior: "instant" });
    }
    return answer;
  }

  #make(message) {
    return makeMessage(this.#template, message, this.#options);
  }

  #unknown(messages) {
    const known = new Set([...this.#list.children].map((item) => item.dataset.id));
    return messages.filter(({ id }) => !known.has(id)).map((message) => this.#make(message));
  }

  #drop(outermost, isFar) {
    let count = this.#list.children.length - MOST_MESSAGES;
    const first = count;
    while (count > 0 && isFar(outermost().getBoundingClientRect())) {
      // A place with the focus inside would leave the keyboard nowhere.
      if (outermost().contains(document.activeElement)) break;
      outermost().remove();
      count -= 1;
    }
    return first > 0 && count < first;
  }

  #markTurns() {
    let turn = "";
    for (const item of this.#list.children) {
      const heading = item.querySelector('[data-part="turn"]');
      const isFirst = item.dataset.turn !== "" && item.dataset.turn !== turn;
      if (heading.hidden === isFirst) heading.hidden = !isFirst;
      turn = item.dataset.turn;
    }
  }
}
