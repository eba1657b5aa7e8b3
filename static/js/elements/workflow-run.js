// <workflow-run run="ID" since="EVENT_ID" parts="facts nodes"> draws the graph of a run, changes the
// state of its nodes as they are told, and has the parts of its page written anew by the server.

import { announcement, layOut, pathThrough, reduceNodes } from "../graph.js";
import { follow } from "../live.js";
import { toast } from "../toast.js";

const SVG = "http://www.w3.org/2000/svg";
const NARROW_PX = 640;

class WorkflowRun extends HTMLElement {
  #nodes = {};
  #since = null;
  #leave = () => {};
  #drawing = null;
  #isTall = null;
  #sizes = new ResizeObserver(() => this.#lay());

  connectedCallback() {
    this.#since ??= this.getAttribute("since");
    this.#leave = follow(`workflow-run:${this.getAttribute("run")}`, { since: this.#since }, this.#take);
    this.#sizes.observe(this);
    this.addEventListener("submit", this.#send);
    // Their width is that of their words: it is known when the letters are.
    document.fonts.ready.then(() => this.#lay({ isForced: true }));
  }

  disconnectedCallback() {
    this.#leave();
    this.#sizes.disconnect();
    this.removeEventListener("submit", this.#send);
    cancelAnimationFrame(this.#drawing);
    this.#drawing = null;
  }

  get #graph() {
    return this.querySelector(".graph");
  }

  #take = (frame) => {
    this.#since = frame.id ?? this.#since;
    this.#nodes = reduceNodes(this.#nodes, frame);
    const news = announcement(frame);
    if (news) this.querySelector('[data-part="news"]').textContent = news;
    for (const id of this.getAttribute("parts").split(" ")) document.getElementById(id).soon();
    this.#drawing ??= requestAnimationFrame(() => {
      this.#drawing = null;
      this.#show();
    });
  };

  #show() {
    for (const place of this.#graph.querySelectorAll(".graph__node")) {
      const known = this.#nodes[place.dataset.node];
      if (!known || place.dataset.state === known.state) continue;
      place.dataset.state = known.state;
      place.querySelector(".graph__state").textContent = known.words;
    }
    for (const line of this.#graph.querySelectorAll(".graph__line")) this.#colour(line);
  }

  /** From left to right, or where that is narrow from top to bottom. */
  #lay({ isForced = false } = {}) {
    const isTall = this.clientWidth < NARROW_PX;
    if (isTall === this.#isTall && !isForced) return;
    this.#isTall = isTall;
    const graph = this.#graph;
    graph.classList.add("graph--drawn");
    const places = [...graph.querySelectorAll(".graph__node")];
    const nodes = places.map((place) => ({
      id: place.dataset.node,
      needs: place.dataset.needs.split(" ").filter(Boolean),
      width: place.offsetWidth,
      height: place.offsetHeight,
    }));
    const laid = layOut(nodes, { isTall });
    graph.style.width = `${laid.width}px`;
    graph.style.height = `${laid.height}px`;
    for (const place of places) {
      const { x, y } = laid.places[place.dataset.node];
      place.style.transform = `translate(${x}px, ${y}px)`;
    }
    this.#drawLines(laid);
  }

  #drawLines({ width, height, lines }) {
    this.#graph.querySelector("svg")?.parentElement.remove();
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", width);
    svg.setAttribute("height", height);
    for (const { from, to, points } of lines) {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("class", "graph__line");
      line.setAttribute("d", pathThrough(points));
      Object.assign(line.dataset, { from, to });
      this.#colour(line);
      svg.append(line);
    }
    const behind = document.createElement("li");
    behind.className = "graph__lines";
    behind.setAttribute("aria-hidden", "true");
    behind.append(svg);
    this.#graph.prepend(behind);
  }

  /** Whether the run has come along here. */
  #colour(line) {
    const stateOf = (id) => this.#graph.querySelector(`[data-node="${id}"]`).dataset.state;
    const isTaken = stateOf(line.dataset.from) === "completed" && !["pending", "skipped"].includes(stateOf(line.dataset.to));
    line.dataset.taken = isTaken;
  }

  /** What is decided is decided in place: the page stays where it is, and the focus in it. */
  #send = async (event) => {
    event.preventDefault();
    const { target: form, submitter } = event;
    const body = new FormData(form, submitter);
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
    try {
      const answer = await fetch(location.href, { method: "POST", body, headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
    } catch (error) {
      toast(error.message, { tone: "bad" });
      for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
      return;
    }
    if (["approve", "reject"].includes(submitter.name)) document.getElementById(`node-${submitter.value}`).focus();
    else document.getElementById("main").focus();
    for (const id of this.getAttribute("parts").split(" ")) document.getElementById(id).soon();
  };
}

customElements.define("workflow-run", WorkflowRun);
