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
    const shell = this.cloneNode(false);
    shell.append(...wanted.childNodes);
    become(this, shell);
  }
}

function showTimes(place) {
  for (const time of place.querySelectorAll("time")) showLocalTime(time);
}

customElements.define("live-part", LivePart);
