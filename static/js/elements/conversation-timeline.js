// <conversation-timeline data-first="TIME" data-last="TIME"> shows where in time one reads, and
// goes to a time: by the field, in the reader's own zone, or by a press on the bars.

import { momentAt, shareAt } from "./replay-clock.js";

const MINUTE_MS = 60_000;

class ConversationTimeline extends HTMLElement {
  connectedCallback() {
    this.messages = this.closest("conversation-messages");
    this.messages.addEventListener("conversation-moment", this.#mark);
    this.#form.addEventListener("submit", this.#go);
    this.#bars.addEventListener("click", this.#point);
    this.#field.removeAttribute("min"); // the server wrote it in UTC
  }

  disconnectedCallback() {
    this.messages.removeEventListener("conversation-moment", this.#mark);
    this.#form.removeEventListener("submit", this.#go);
    this.#bars.removeEventListener("click", this.#point);
  }

  get span() {
    return { first: Date.parse(this.dataset.first), last: Date.parse(this.dataset.last) };
  }

  get #form() {
    return this.querySelector("form");
  }

  get #bars() {
    return this.querySelector("svg");
  }

  get #field() {
    return this.querySelector("input");
  }

  #mark = ({ detail: moment }) => {
    const line = this.querySelector("line");
    const x = (this.#bars.viewBox.baseVal.width * shareAt(moment, this.span)).toFixed(2);
    if (line.getAttribute("x1") === x) return;
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    if (document.activeElement !== this.#field) this.#field.value = ownTime(moment);
  };

  #go = (event) => {
    event.preventDefault();
    this.messages.goToMoment(new Date(this.#field.value).getTime());
  };

  #point = ({ clientX }) => {
    const { left, width } = this.#bars.getBoundingClientRect();
    this.messages.goToMoment(momentAt((clientX - left) / width, this.span));
  };
}

/** As a field for a date and a time wants it. */
function ownTime(moment) {
  const shiftMs = new Date(moment).getTimezoneOffset() * MINUTE_MS;
  return new Date(moment - shiftMs).toISOString().slice(0, 19);
}

customElements.define("conversation-timeline", ConversationTimeline);
