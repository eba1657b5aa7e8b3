// <project-live stream="project:default"> keeps the parts of a project's page up to date. The server
// has written each of them at a time of its own, and each says behind which event it goes on.

import { lasted, dollars, thousands } from "../figures.js";
import { hueOf } from "../hue.js";
import { follow } from "../live.js";
import { PARTS, placeOf, reducePreview, reduceProgress, reduceQuality } from "../project.js";
import { GAP } from "../stream/reduce.js";
import "./markdown-text.js";

const TYPES = ["agent.progress", "agent.complete", "preview.section.updated", "quality.updated"];
const MS_A_S = 1000;

class ProjectLive extends HTMLElement {
  #shown = [];
  #leave = null;
  #drawing = null;

  connectedCallback() {
    this.#shown = [AgentsShown, PreviewShown, QualityShown]
      .map((Shown) => [Shown, this.querySelector(`:scope > [data-part="${Shown.part}"]`)])
      .filter(([, place]) => place)
      .map(([Shown, place]) => new Shown(place));
    const places = this.#shown.map(({ place }) => place.dataset.since);
    const since = places.sort((one, other) => placeOf(one) - placeOf(other))[0];
    this.#leave = follow(this.getAttribute("stream"), { since, types: TYPES }, this.#take);
  }

  disconnectedCallback() {
    this.#leave();
    cancelAnimationFrame(this.#drawing);
    this.#drawing = null;
  }

  #take = (frame) => {
    if (frame.type === GAP) {
      // Events are gone: the server knows how it stands.
      location.reload();
      return;
    }
    for (const one of this.#shown) one.take(frame);
    this.#drawing ??= requestAnimationFrame(() => {
      this.#drawing = null;
      for (const one of this.#shown) one.draw();
    });
  };
}

/** A list whose rows are kept, each the element that it was, while what they show changes. */
class Rows {
  #list;
  #template;
  #shown = new Map(); // id → the item that its row shows

  constructor(list, template) {
    this.#list = list;
    this.#template = template;
  }

  show(items, idOf, fill) {
    const known = new Map(Array.from(this.#list.children, (row) => [row.dataset.id, row]));
    const rows = items.map((item) => {
      const id = idOf(item);
      // Imported and not cloned: so the elements in it are at once what they are.
      const row =
        known.get(id) ?? document.importNode(this.#template.content, true).firstElementChild;
      row.dataset.id = id;
      if (this.#shown.get(id) !== item) fill(row, item);
      this.#shown.set(id, item);
      return row;
    });
    for (const row of known.values()) if (!rows.includes(row)) row.remove();
    rows.forEach((row, place) => {
      const there = this.#list.children[place] ?? null;
      if (there !== row) this.#list.insertBefore(row, there);
    });
  }
}

class AgentsShown {
  static part = "progress";

  constructor(place) {
    this.place = place;
    const { since, overall } = place.dataset;
    const agents = Array.from(place.querySelectorAll("li"), ({ dataset }) => ({ agentId: dataset.id }));
    this.state = { seq: placeOf(since), agents, overall: Number(overall), completion: null };
    this.names = JSON.parse(place.dataset.names);
    this.rows = new Rows(place.querySelector(".things"), place.querySelector("template"));
    this.drawn = this.state;
  }

  take(frame) {
    this.state = reduceProgress(this.state, frame);
  }

  draw() {
    if (this.state === this.drawn) return;
    const { agents, overall, completion } = (this.drawn = this.state);
    // Of agents that have not moved the server has written all that is known.
    this.rows.show(agents, ({ agentId }) => agentId, (row, agent) => {
      if (agent.status) fillAgent(row, agent, this.names[agent.agentId] ?? agent.agentId);
    });
    part(this.place, "overall").value = overall;
    part(this.place, "percentage").textContent = `${Math.round(overall)} %`;
    part(this.place, "completion").textContent = completion
      ? `Done at about ${new Date(completion).toLocaleTimeString()}, by the pace so far`
      : "";
  }
}

function fillAgent(row, agent, called) {
  const name = part(row, "name");
  name.textContent = called;
  name.dataset.hue = hueOf(agent.agentId);
  const badge = part(row, "status");
  badge.textContent = badge.dataset.status = agent.status;
  const bar = part(row, "bar");
  bar.value = agent.percentage;
  bar.setAttribute("aria-label", `How far ${called} is`);
  part(row, "figures").textContent = [...figures(agent)].join(" · ");
}

function* figures(agent) {
  const { percentage, currentStep, totalSteps, estimatedTimeRemaining: leftS, tokensUsed, cost } = agent;
  yield `${Math.round(percentage)} %`;
  if (totalSteps) yield `step ${currentStep} of ${totalSteps}`;
  if (leftS !== null && agent.status === "running") yield `about ${lasted(leftS * MS_A_S)} left`;
  if (tokensUsed) yield `${thousands(tokensUsed)} tokens`;
  if (cost) yield dollars(cost);
}

class PreviewShown {
  static part = "preview";

  constructor(place) {
    this.place = place;
    const { since, run } = place.dataset;
    const sections = Array.from(place.querySelectorAll("article"), sectionOf);
    this.state = { seq: placeOf(since), run: run || null, sections };
    this.rows = new Rows(place.querySelector(".site__page"), place.querySelector("template"));
    this.drawn = this.state;
  }

  take(frame) {
    this.state = reducePreview(this.state, frame);
  }

  draw() {
    if (this.state === this.drawn) return;
    this.drawn = this.state;
    this.rows.show(this.state.sections, ({ id }) => id, fillSection);
  }
}

function sectionOf(row) {
  const said = PARTS.map((name) => [name, textOf(part(row, name))]);
  const { id, kind } = row.dataset;
  const title = row.querySelector(".site__label").textContent;
  return { id, kind, title, complete: "complete" in row.dataset, ...Object.fromEntries(said) };
}

/** As it was written, also where it is shown as it was meant. */
function textOf(place) {
  return place.text ?? place.textContent;
}

function fillSection(row, section) {
  row.dataset.kind = section.kind;
  row.toggleAttribute("data-complete", section.complete);
  row.querySelector(".site__label").textContent = section.title;
  for (const name of PARTS) {
    const place = part(row, name);
    const said = section[name] ?? "";
    if (name === "body") writeOn(place, said, section.complete);
    else if (place.textContent !== said) place.textContent = said;
  }
}

/** What grows goes on where it was; what is otherwise than before is shown anew. */
function writeOn(place, said, isComplete) {
  const shown = place.text;
  if (!said.startsWith(shown)) place.text = said;
  else if (said.length > shown.length) place.write(said.slice(shown.length));
  if (isComplete) place.close();
}

class QualityShown {
  static part = "quality";

  constructor(place) {
    this.place = place;
    const { since, run } = place.dataset;
    // Of these the server has written all, and they are shown anew only when they are measured anew.
    const verdicts = Array.from(place.querySelectorAll(".verdict"), ({ dataset }) => ({
      sectionId: dataset.id || null,
    }));
    this.state = { seq: placeOf(since), run: run || null, verdicts };
    this.rows = new Rows(place.querySelector(".verdicts"), template(place, "verdict"));
    this.drawn = this.state;
  }

  take(frame) {
    this.state = reduceQuality(this.state, frame);
  }

  draw() {
    if (this.state === this.drawn) return;
    this.drawn = this.state;
    this.rows.show(
      this.state.verdicts,
      ({ sectionId }) => sectionId ?? "",
      (row, verdict) => verdict.scores && this.#fill(row, verdict),
    );
  }

  #fill(row, { sectionId, total, scores }) {
    part(row, "ring").setAttribute("stroke-dasharray", `${total ?? 0} 100`);
    part(row, "name").textContent = sectionId ?? "The whole page";
    if (!row.isConnected) row.querySelector("details").open = sectionId === null;
    part(row, "total").textContent = total === null ? "" : Math.round(total);
    const rows = new Rows(row.querySelector(".scores"), template(this.place, "score"));
    rows.show(scores, ({ measure }) => measure, fillScore);
  }
}

function fillScore(row, { measure, name = measure, value, why = "" }) {
  part(row, "name").textContent = name;
  part(row, "value").textContent = Math.round(value);
  part(row, "meter").value = value;
  part(row, "meter").setAttribute("aria-label", name);
  part(row, "why").textContent = why;
}

function part(place, name) {
  return place.querySelector(`[data-part="${name}"]`);
}

function template(place, name) {
  return place.querySelector(`[data-template="${name}"]`);
}

customElements.define("project-live", ProjectLive);
