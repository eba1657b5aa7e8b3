// <spend-plot measure="cost"> draws one figure over time, and whose it is: bars in parts. The sums
// stand in the page's tables, too: what is drawn here is for eyes. uPlot is loaded when there is
// something to draw.

import { dollars, thousands } from "../figures.js";
import { stacked } from "../stack.js";

const HEIGHT_PX = 176;
const LEAST_WIDTH_PX = 64;
const SECOND_MS = 1000;
const STEP_S = { hour: 3_600, day: 86_400 };
// Never less than a step between two marks: one day is not to be named twice.
const MARKS = { hour: [1, 2, 3, 6, 12], day: [1, 2, 7, 14, 30, 90, 180, 365, 730, 1825, 3650] };
const MONTH_S = 30 * STEP_S.day;
const MONTH = { month: "short", year: "numeric" };
const NAMED_BY = {
  hour: { hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short" },
};
const BARS = { size: [0.7, 40] };
const WORDS_PX = 56;
const ROOM_PX = [12, 8, 0, 0];

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

class SpendPlot extends HTMLElement {
  #slots = [];
  #shares = [];
  #plot = null;
  #drawing = null; // while uPlot is being loaded
  #reading = document.createElement("p");
  #sizes = new ResizeObserver(() => this.#fit());
  #scheme = matchMedia("(prefers-color-scheme: dark)");

  connectedCallback() {
    this.#reading.className = "plot__reading";
    this.append(this.#reading);
    this.#sizes.observe(this);
    this.#scheme.addEventListener("change", this.#redraw);
  }

  disconnectedCallback() {
    this.#sizes.disconnect();
    this.#scheme.removeEventListener("change", this.#redraw);
    this.#plot?.destroy();
    this.#plot = this.#drawing = null;
  }

  /** Hours or days in order, and shares of them: each a name, amounts and a function for its ink. */
  show(slots, shares) {
    const isSame = String(shares.map(({ name }) => name)) === String(this.#shares.map(({ name }) => name));
    this.#slots = slots;
    this.#shares = shares;
    if (this.#plot && !isSame) {
      this.#plot.destroy();
      this.#plot = this.#drawing = null;
    }
    if (this.#plot) this.#plot.setData(this.#data);
    else if (slots.length && shares.length) this.#drawing ??= this.#draw();
  }

  get #measure() {
    return this.getAttribute("measure");
  }

  /** The highest parts first: what is drawn later stands in front. */
  get #data() {
    const heights = stacked(this.#shares.map(({ amounts }) => amounts[this.#measure]));
    return [this.#slots.map(({ begin }) => begin / SECOND_MS), ...heights.reverse()];
  }

  get #isOfMoney() {
    return this.#measure === "cost";
  }

  // Nothing is drawn into a place that is not shown yet; what is drawn too small is made to fit.
  get #width() {
    return Math.max(this.clientWidth, LEAST_WIDTH_PX);
  }

  async #draw() {
    const { default: uPlot } = await import("../../vendor/uplot/uPlot.esm.js");
    if (this.isConnected) this.#plot = new uPlot(this.#options(uPlot), this.#data, this);
  }

  #options(uPlot) {
    const [{ unit }] = this.#slots;
    const step = STEP_S[unit];
    const line = () => this.#ink("outline-color");
    const axis = { stroke: () => this.#ink("color"), ticks: { stroke: line }, font: this.#font };
    return {
      width: this.#width,
      height: HEIGHT_PX,
      tzDate: (s) => uPlot.tzDate(new Date(s * SECOND_MS), "Etc/UTC"),
      padding: ROOM_PX,
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      legend: { show: false },
      hooks: { setCursor: [({ cursor }) => this.#read(cursor.idx)] },
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
          size: WORDS_PX,
          values: (_, marks) => marks.map((mark) => (this.#isOfMoney ? "$" : "") + compact.format(mark)),
        },
      ],
      series: [
        {},
        ...this.#shares.toReversed().map(({ ink }) => ({
          fill: ink,
          stroke: ink,
          width: 0,
          points: { show: false },
          paths: uPlot.paths.bars(BARS),
        })),
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

  /** Say what the bar under the pointer stands for. */
  #read(place) {
    const slot = this.#slots[place];
    const write = this.#isOfMoney ? dollars : thousands;
    const parts = this.#shares.map(({ name, amounts }) => ({ name, amount: amounts[this.#measure][place] }));
    const told = parts.filter(({ amount }) => amount).map(({ name, amount }) => `${name}: ${write(amount)}`);
    const lines = slot ? [`${slot.name}: ${write(slot[this.#measure])}`, ...told] : [];
    this.#reading.textContent = lines.join("\n");
    // Out of the way of the bar that it tells of.
    this.#reading.classList.toggle("plot__reading--first", place > this.#slots.length / 2);
  }

  #fit() {
    this.#plot?.setSize({ width: this.#width, height: HEIGHT_PX });
  }

  #redraw = () => this.#plot?.redraw(false);
}

/** Days and hours are those of UTC, as they are counted. */
function nameOf(s, unit, incr) {
  const parts = incr >= MONTH_S ? MONTH : NAMED_BY[unit];
  return new Date(s * SECOND_MS).toLocaleString("en-GB", { ...parts, timeZone: "UTC" });
}

customElements.define("spend-plot", SpendPlot);
