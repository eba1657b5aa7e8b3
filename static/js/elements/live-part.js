// <live-part id="ID" stream="project:default" since="EVENT_ID" types="agent.run.*"> shows a part of
// the server's page as the server would write it now. After an event of its stream, or where soon()
// is called, it asks for the page again and becomes what stands there under the same id.

import { follow } from "../live.js";
import { become } from "../markdown/morph.js";
import { Refresher } from "../refresher.js";
import { showLocalTime } from "./answer-words.js";

class LivePart extends HTMLElement {
  #since = null;
  #leave = () => {};
  #refresher = null;

  connectedCallback() {
    this.#refresher = new Refresher(() => this.#refresh());
    showTimes(this);
    if (!this.hasAttribute("stream")) return;
    this.#since ??= this.getAttribute("since");
    const options = { since: this.#since, types: this.getAttribute("types").split(" ") };
    this.#leave = follow(this.getAttribute("stream"), options, this.#take);
  }

  disconnectedCallback() {
    this.#leave();
    this.#refresher.close();
  }

  /** It may have changed. */
  soon() {
    this.#refresher.soon();
  }

  #take = (frame) => {
    this.#since = frame.id ?? this.#since;
    this.soon();
  };

  async #refresh() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const wanted = page.getElementById(this.id);
    if (!wanted) throw new Error("the server's page has no such part");
    showTimes(wanted);
    keepUnfolded(this, wanted);
    const shell = this.cloneNode(false);
    shell.append(...wanted.childNodes);
    become(this, shell);
  }
}

function showTimes(place) {
  for (const time of place.querySelectorAll("time")) showLocalTime(time);
}

/** What a reader has unfolded or folded stays so: the server does not know of it. */
function keepUnfolded(there, wanted) {
  const unfolded = new Map([...foldedParts(there)].map(([name, part]) => [name, part.open]));
  for (const [name, part] of foldedParts(wanted)) part.open = unfolded.get(name) ?? part.open;
}

/** Each by what it is part of, what it says and which of those that say so it is. */
function foldedParts(place) {
  const found = new Map();
  for (const part of place.querySelectorAll("details")) {
    const words = part.querySelector("summary")?.textContent;
    let number = 0;
    const name = () => JSON.stringify([part.closest("[id]").id, words, number]);
    while (found.has(name())) number += 1;
    found.set(name(), part);
  }
  return found;
}

customElements.define("live-part", LivePart);
