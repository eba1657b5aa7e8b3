// <project-dashboard src="/api/metrics/summary?…"> keeps the figures of a project up to date. The
// feed inside of it follows the project, and what it takes comes by here and at the lists as an
// event named frame.

import { dollars, thousands } from "../figures.js";
import { slotName } from "../times.js";
import { askFor, Refresher } from "../refresher.js";
import "./active-conversations.js";
import "./connection-doctor.js";
import "./job-list.js";
import "./project-feed.js";
import "./run-list.js";
import "./spend-plot.js";

const WRITTEN = { cost: dollars };
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
      place.textContent = written(place.dataset.figure, { ...totals, active: activeNow });
    }
    const slots = slotsOf(summary);
    for (const plot of this.querySelectorAll("spend-plot")) plot.slots = slots;
    this.#showRows("slots", slots.filter(({ messages }) => messages).reverse().slice(0, MOST_SLOTS));
    this.#showRows("agents", named(byAgentType, "agentType"));
    this.#showRows("models", named(byModel, "model"));
  }

  #showRows(name, figures) {
    const template = this.querySelector('[data-template="figures"]');
    const rows = figures.map((one) => {
      const row = template.content.firstElementChild.cloneNode(true);
      for (const place of row.children) place.textContent = written(place.dataset.part, one);
      return row;
    });
    this.querySelector(`[data-figures="${name}"]`).replaceChildren(...rows);
  }
}

function written(name, figures) {
  if (name === "name") return figures.name;
  return (WRITTEN[name] ?? thousands)(figures[name]);
}

function named(figures, by) {
  return figures.slice(0, MOST_NAMES).map((one) => ({ ...one, name: one[by] || "Not told" }));
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
