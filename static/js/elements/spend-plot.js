// <spend-plot measure="cost"> draws one figure over time. The numbers stand in the page's table,
// too: what is drawn here is for eyes. uPlot is loaded when there is something to draw.

import { count, spend } from "../sums.js";

const HEIGHT_PX = 168;
const SECOND_MS = 1000;
const STEP_S = { hour: 3_600, day: 86_400 };
// Never less than a step between two marks: one day is not to be named twice.
const MARKS = { hour: [1, 2, 3, 6, 12], day: [1, 2, 7, 14, 30, 90, 180, 365, 730, 1825, 3650] };
const MONTH_S = 30 * STEP_S.day;
const BARS = { size: [0.7, 40] };

class SpendPlot extends HTMLElement {
  #slots = [];
  #plot = null;
  #sizes = new ResizeObserver(() => this.#fit());
  #scheme = matchMedia("(prefers-color-scheme: dark)");

  connectedCallback() {
    this.#sizes.observe(this);
    this.#scheme.addEventListener("change", this.#redraw);
  }

  disconnectedCallback() {
    this.#sizes.disconnect();
    this.#scheme.removeEventListener("change", this.#redraw);
    this.#plot?.destroy();
    this.#plot = null;
  }

  /** Hours or days in order, as the dashboard has them. */
  set slots(slots) {
    const isFirst = !this.#slots.length;
    this.#slots = slots;
    if (this.#plot) this.#plot.setData(this.#data);
    else if (isFirst && slots.length) this.#draw();
  }

  get #data() {
    const values = this.#slots.map((slot) => slot[this.getAttribute("measure")]);
    return [this.#slots.map(({ begin }) => begin / SECOND_MS), values];
  }

  get #unit() {
    return this.#slots[0].unit;
  }

  async #draw() {
    const { default: uPlot } = await import("../../vendor/uplot/uPlot.esm.js");
    if (this.isConnected) this.#plot = new uPlot(this.#options(uPlot), this.#data, this);
  }

  #options(uPlot) {
    const unit = this.#unit;
    const step = STEP_S[unit];
    const write = this.getAttribute("measure") === "cost" ? spend : count;
    const line = () => this.#ink("outline-color");
    const axis = { stroke: () => this.#ink("color"), ticks: { stroke: line }, font: this.#font };
    return {
      width: this.clientWidth,
      height: HEIGHT_PX,
      // Days are those of UTC, hours are the reader's own.
      tzDate: (s) => (unit === "day" ? uPlot.tzDate(new Date(s * SECOND_MS), "Etc/UTC") : new Date(s * SECOND_MS)),
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      legend: { markers: { show: false } },
      scales: {
        x: { range: (_, first, last) => [first - step / 2, last + step / 2] },
        y: { range: (_, least, most) => [0, most > 0 ? 1.1 * most : 1] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          incrs: MARKS[unit].map((steps) => steps * step),
          values: (_, marks, axisNumber, space, incr) => marks.map((s) => nameOf(s, unit, incr)),
        },
        {
          ...axis,
          grid: { stroke: line },
          size: 64,
          values: (_, marks) => marks.map(shortened),
        },
      ],
      series: [
        { label: unit === "day" ? "Day" : "Hour", value: (_, s) => (s === null ? "" : nameOf(s, unit, step)) },
        {
          label: this.getAttribute("measure") === "cost" ? "Spend" : "Tokens",
          value: (_, value) => (value === null ? "" : write(value)),
          fill: () => this.#ink("caret-color"),
          stroke: () => this.#ink("caret-color"),
          width: 0,
          points: { show: false },
          paths: uPlot.paths.bars(BARS),
        },
      ],
    };
  }

  get #font() {
    const { fontFamily } = getComputedStyle(this);
    return `12px ${fontFamily}`;
  }

  /** A canvas knows no light-dark(), and the style of an element knows what it comes to. */
  #ink(property) {
    return getComputedStyle(this).getPropertyValue(property);
  }

  #fit() {
    this.#plot?.setSize({ width: this.clientWidth, height: HEIGHT_PX });
  }

  #redraw = () => this.#plot?.redraw(false);
}

function nameOf(s, unit, incr) {
  const moment = new Date(s * SECOND_MS);
  if (unit === "hour") {
    return moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  }
  const parts = incr >= MONTH_S ? { month: "short", year: "numeric" } : { day: "numeric", month: "short" };
  return moment.toLocaleDateString("en-GB", { ...parts, timeZone: "UTC" });
}

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

function shortened(value) {
  return compact.format(value);
}

customElements.define("spend-plot", SpendPlot);
