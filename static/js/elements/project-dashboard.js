// <project-dashboard src="/api/metrics/summary?…"> keeps the figures of a project up to date. The
// feed inside of it follows the project, and what it takes comes by here and at the lists as an
// event named frame.

import { dollars, thousands } from "../figures.js";
import { NOT_TOLD, sharesOf } from "../stack.js";
import { slotName } from "../times.js";
import { askFor, Refresher } from "../refresher.js";
import "./active-conversations.js";
import "./connection-doctor.js";
import "./job-list.js";
import "./project-feed.js";
import "./run-list.js";
import "./spend-plot.js";

const WRITTEN = { cost: dollars };
const PLOTTED = ["cost", "totalTokens"];
const MOST_NAMES = 8;
const MOST_SLOTS = 100;

class ProjectDashboard extends HTMLElement {
  #refresher;

  connectedCallback() {
    this.#refresher = new Refresher(() => this.#refresh());
    this.addEventListener("frame", this.#take);
    this.#refresher.soon(0);
  }

  disconnectedCallback() {
    this.removeEventListener("frame", this.#take);
    this.#refresher.close();
  }

  #take = () => {
    delete this.dataset.empty;
    this.#refresher.soon();
  };

  async #refresh() {
    const summary = await askFor(this.getAttribute("src"));
    const { totals, activeNow, byAgentType, byModel } = summary;
    for (const place of this.querySelectorAll("[data-figure]")) {
      say(place, written(place.dataset.figure, { ...totals, active: activeNow }));
    }
    const slots = slotsOf(summary);
    const shares = sharesOf(summary, this.getAttribute("by"), PLOTTED);
    const inks = this.#showLegend(shares);
    const inked = shares.map((share, place) => ({ ...share, ink: inks[place] }));
    for (const plot of this.querySelectorAll("spend-plot")) plot.show(slots, inked);
    this.#showRows("slots", slots.filter(({ messages }) => messages).reverse().slice(0, MOST_SLOTS));
    this.#showRows("agents", named(byAgentType, "agentType"));
    this.#showRows("models", named(byModel, "model"));
  }

  /** Whose which colour is; the answer is what a plot draws with. A canvas knows no light-dark(). */
  #showLegend(shares) {
    const legend = this.querySelector(".legend");
    fit(legend, shares.length, () => {
      const item = document.createElement("li");
      item.className = "agent";
      return item;
    });
    return shares.map(({ name, hue }, place) => {
      const item = legend.children[place];
      item.dataset.hue = hue;
      say(item, name);
      return () => getComputedStyle(item).color;
    });
  }

  #showRows(name, figures) {
    const rows = this.querySelector(`[data-figures="${name}"]`);
    const { content } = this.querySelector('[data-template="figures"]');
    fit(rows, figures.length, () => content.firstElementChild.cloneNode(true));
    figures.forEach((one, place) => {
      for (const cell of rows.children[place].children) say(cell, written(cell.dataset.part, one));
    });
  }
}

/** Leave what is there; a page that changes all the time is not to be made anew each time. */
function fit(place, count, make) {
  while (place.children.length > count) place.lastElementChild.remove();
  while (place.children.length < count) place.append(make());
}

function say(place, words) {
  if (place.textContent !== words) place.textContent = words;
}

function written(name, figures) {
  if (name === "name") return figures.name;
  return (WRITTEN[name] ?? thousands)(figures[name]);
}

function named(figures, by) {
  return figures.slice(0, MOST_NAMES).map((one) => ({ ...one, name: one[by] || NOT_TOLD }));
}

/** Hours or days in order, each with its beginning and its name. */
function slotsOf({ byHour, byDay }) {
  const unit = byHour ? "hour" : "day";
  return (byHour ?? byDay).map((slot) => {
    const begin = new Date(slot[unit]);
    return { ...slot, unit, begin, name: slotName(begin, unit) };
  });
}

customElements.define("project-dashboard", ProjectDashboard);
