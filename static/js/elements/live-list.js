// A short list of what goes on. The server has written its rows; frames that the feed of the same
// page takes keep it up. A row that stays is the element that it was: its links keep their focus.

import { askFor, Refresher } from "../refresher.js";
import { GAP } from "../stream/reduce.js";

export class LiveList extends HTMLElement {
  #items = [];
  #shown = new Map(); // id → the item that its row shows
  #page;
  #refresher;
  #drawing = null;

  connectedCallback() {
    this.#items = Array.from(this.#rows, ({ dataset }) => ({ id: dataset.id, status: dataset.status }));
    this.#shown = new Map(this.#items.map((item) => [item.id, item]));
    this.#refresher = new Refresher(() => this.#refresh());
    this.#page = this.closest("project-dashboard");
    this.#page.addEventListener("frame", this.#take);
  }

  disconnectedCallback() {
    this.#page.removeEventListener("frame", this.#take);
    this.#refresher.close();
    cancelAnimationFrame(this.#drawing);
    this.#drawing = null;
  }

  /** What the frame makes of the items. */
  reduce(items, frame) {
    return items;
  }

  /** Whether only the server knows what the frame makes of them. */
  isUnclear(frame) {
    return false;
  }

  /** Write what is known of an item into its row. */
  fill(row, item) {}

  get #list() {
    return this.querySelector("ul");
  }

  get #rows() {
    return this.#list.children;
  }

  #take = ({ detail: frame }) => {
    if (frame.type === GAP || this.isUnclear(frame)) this.#refresher.soon();
    const items = this.reduce(this.#items, frame);
    if (items === this.#items) return;
    this.#items = items;
    this.#drawing ??= requestAnimationFrame(() => {
      this.#drawing = null;
      this.#draw();
    });
  };

  async #refresh() {
    this.#items = (await askFor(this.getAttribute("src"))).items;
    this.#draw();
  }

  #draw() {
    const known = new Map(Array.from(this.#rows, (row) => [row.dataset.id, row]));
    const rows = this.#items.map((item) => this.#rowOf(item, known.get(item.id)));
    for (const row of [...this.#rows]) if (!rows.includes(row)) row.remove();
    rows.forEach((row, place) => {
      if (this.#rows[place] !== row) this.#list.insertBefore(row, this.#rows[place] ?? null);
    });
    this.#shown = new Map(this.#items.map((item) => [item.id, item]));
  }

  #rowOf(item, known) {
    const row = known ?? this.querySelector("template").content.firstElementChild.cloneNode(true);
    if (this.#shown.get(item.id) !== item) {
      row.dataset.id = item.id;
      this.fill(row, item);
    }
    return row;
  }
}

export function part(row, name) {
  return row.querySelector(`[data-part="${name}"]`);
}

/** A status is shown by its name and by the colour that goes with it. */
export function showStatus(row, status) {
  row.dataset.status = status;
  const badge = part(row, "status");
  badge.textContent = badge.dataset.status = status;
}
