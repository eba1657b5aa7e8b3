// Markdown → elements that are safe to show, also while the text is still coming.
//
//   const shown = new Markdown(element);
//   shown.write(piece); // as often as pieces come
//   shown.close(); // nothing more comes
//
// Two walls stand between a text and the page: markup inside of the text is shown and not obeyed,
// and what markdown makes of the rest passes a sanitizer that knows few elements and attributes.
//
// A block (a paragraph, a list, a fence) that has ended is not touched again. Of the last one only
// what changes is, so that nothing flickers and whoever has selected something keeps it.

import { Blocks } from "./markdown/blocks.js";
import { highlight } from "./markdown/highlight.js";
import { become } from "./markdown/morph.js";
import { safeElement } from "./markdown/sanitize.js";

export class Markdown {
  #place;
  #blocks = new Blocks();
  #drawn = []; // the HTML of each block that stands in the place
  #settled = 0; // how many of them have ended and been coloured

  constructor(place) {
    this.#place = place;
    place.replaceChildren();
  }

  write(piece) {
    this.#draw(this.#blocks.append(piece));
    this.#settle(this.#drawn.length - 1);
  }

  close() {
    this.#settle(this.#drawn.length);
  }

  #draw(wanted) {
    for (const [number, html] of wanted.entries()) {
      if (html === this.#drawn[number]) continue;
      const there = this.#place.children[number];
      const next = safeElement(html);
      if (there) become(there, next);
      else this.#place.append(next);
      this.#settled = Math.min(this.#settled, number);
    }
    while (this.#place.children.length > wanted.length) this.#place.lastElementChild.remove();
    this.#drawn = wanted;
  }

  #settle(count) {
    for (; this.#settled < count; this.#settled++) highlight(this.#place.children[this.#settled]);
  }
}

/** Show a whole text at once. */
export function showMarkdown(place, text) {
  const shown = new Markdown(place);
  shown.write(text);
  shown.close();
}
