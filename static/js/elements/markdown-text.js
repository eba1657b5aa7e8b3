// <markdown-text> holds a text as it was written, which the server put there escaped, and shows it
// as it was meant. More may come: write(piece), then close().

import { Markdown } from "../markdown.js";

class MarkdownText extends HTMLElement {
  #text = "";
  #shown = null;
  #waiting = ""; // has come since the last frame
  #isOpen = false;
  #drawing = null;

  connectedCallback() {
    if (!this.#shown) this.text = this.#text || this.textContent;
  }

  disconnectedCallback() {
    cancelAnimationFrame(this.#drawing);
    if (this.#drawing !== null) this.#draw();
  }

  /** All that was written, as it was written. */
  get text() {
    return this.#text;
  }

  set text(text) {
    this.#shown = new Markdown(this);
    this.#text = "";
    this.#waiting = "";
    this.write(text);
    this.close();
    this.#draw();
  }

  /** One more piece; pieces that come within a frame are drawn together. */
  write(piece) {
    this.#isOpen = true;
    this.#text += piece;
    this.#waiting += piece;
    this.#drawing ??= requestAnimationFrame(() => this.#draw());
  }

  /** Nothing more comes for now. */
  close() {
    this.#isOpen = false;
    this.#drawing ??= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = null;
    this.#shown ??= new Markdown(this);
    this.#shown.write(this.#waiting);
    this.#waiting = "";
    if (!this.#isOpen) this.#shown.close();
  }
}

customElements.define("markdown-text", MarkdownText);
