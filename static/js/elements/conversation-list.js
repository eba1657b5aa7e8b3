// <conversation-list stream="project:default" since="EVENT_ID"> searches while one types, keeps the
// rows as they are on the server, and lets new ones in at the top.
//
// Rows are rendered by the server only: this asks for the page and takes over what is in it. While
// events come it does so once a second, for the rows that have changed and for those above them. A
// reader who has scrolled down is left alone: new rows wait behind a button.

import { follow } from "../live.js";
import { become } from "../markdown/morph.js";
import { GAP } from "../stream/reduce.js";
import { showLocalTime } from "./feed-row.js";

const TYPED_FOR_MS = 200;
const LOOK_EVERY_MS = 1000;

class ConversationList extends HTMLElement {
  #leave = null;
  #since = null;
  #typing = null;
  #search = new AbortController();
  #looking = null;
  #changed = new Set(); // ids of rows that have to be looked up
  #strangers = new Set(); // ids that have no row
  #elsewhere = new Set(); // ids that have no place among these rows
  #fresh = []; // rows that wait to be shown

  connectedCallback() {
    this.#since ??= this.getAttribute("since");
    this.#form.addEventListener("submit", this.#searchNow);
    this.#form.addEventListener("input", this.#searchSoon);
    this.addEventListener("click", this.#press);
    this.#part("search").hidden = true;
    this.#rows.forEach(showLocalTime);
    const options = { since: this.#since, types: ["conversation.*", "message.*"] };
    this.#leave = follow(this.getAttribute("stream"), options, this.#take);
  }

  disconnectedCallback() {
    this.#leave();
    this.#form.removeEventListener("submit", this.#searchNow);
    this.#form.removeEventListener("input", this.#searchSoon);
    this.removeEventListener("click", this.#press);
    this.#search.abort();
    clearTimeout(this.#typing);
    clearTimeout(this.#looking);
    this.#looking = null;
  }

  get #form() {
    return this.querySelector("form");
  }

  get #list() {
    return this.querySelector(".conversations");
  }

  get #rows() {
    return [...this.#list.children];
  }

  #part(name) {
    return this.querySelector(`[data-part="${name}"]`);
  }

  #rowOf(id) {
    return this.#rows.find((row) => row.dataset.id === id);
  }

  #isShown(id) {
    return [...this.#rows, ...this.#fresh].some((row) => row.dataset.id === id);
  }

  // Searching

  #searchSoon = ({ target }) => {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(this.#searchNow, target.name === "q" ? TYPED_FOR_MS : 0);
  };

  #searchNow = async (event) => {
    event?.preventDefault();
    clearTimeout(this.#typing);
    const wanted = [...new FormData(this.#form)].filter(([, value]) => value);
    const address = `${location.pathname}?${new URLSearchParams(wanted)}`;
    history.replaceState(null, "", address);
    this.#search.abort();
    this.#search = new AbortController();
    const page = await pageAt(address, this.#search.signal);
    if (page) this.#show(page);
  };

  #show(page) {
    this.#fresh = [];
    this.#elsewhere.clear();
    this.#tellFresh();
    this.#part("results").replaceChildren(...takenFrom(page, "results").childNodes);
    this.#part("total").textContent = takenFrom(page, "total").textContent;
    this.#part("clear").hidden = takenFrom(page, "clear").hidden;
    document.title = page.title;
    this.#rows.forEach(showLocalTime);
  }

  // Following

  #take = (frame) => {
    this.#since = frame.id ?? this.#since;
    const id = frame.data?.conversationId;
    if (frame.type === GAP) {
      for (const row of this.#rows) this.#changed.add(row.dataset.id);
      this.#strangers.add(id);
    } else if (this.#rowOf(id)) this.#changed.add(id);
    // One more message brings nothing into the list that was not in it before.
    else if (frame.type !== "message.created" || !this.#elsewhere.has(id)) this.#strangers.add(id);
    else return;
    this.#looking ??= setTimeout(this.#look, LOOK_EVERY_MS);
  };

  #look = async () => {
    const ids = [...this.#changed];
    const strangers = [...this.#strangers];
    this.#changed.clear();
    this.#strangers.clear();
    if (ids.length) await this.#lookUp(ids);
    if (strangers.length && this.#isNewestFirst) await this.#lookAbove();
    for (const id of strangers) if (!this.#isShown(id)) this.#elsewhere.add(id);
    this.#looking = null;
    const hasMore = this.#changed.size || this.#strangers.size;
    if (hasMore && this.isConnected) this.#looking = setTimeout(this.#look, LOOK_EVERY_MS);
  };

  async #lookUp(ids) {
    const query = new URLSearchParams(ids.map((id) => ["id", id]));
    const project = this.getAttribute("stream").replace("project:", "");
    const page = await pageAt(`${location.pathname}?project=${project}&${query}`);
    if (!page) return;
    const found = new Map(rowsOf(page).map((row) => [row.dataset.id, row]));
    for (const id of ids) {
      const there = this.#rowOf(id);
      if (there) this.#renew(there, found.get(id));
    }
  }

  #renew(there, row) {
    if (!row) return there.classList.add("conversation--gone");
    showLocalTime(row);
    // Where it matches is told by the search, and not by the row alone.
    if (there.querySelector(".conversation__place")) {
      row.querySelector("time").after(...there.querySelectorAll(".conversation__place"));
    }
    row.className = there.className;
    become(there, row);
  }

  async #lookAbove() {
    const page = await pageAt(location.href);
    if (!page) return;
    this.#part("total").textContent = takenFrom(page, "total").textContent;
    const known = new Set(this.#rows.map((row) => row.dataset.id));
    const rows = rowsOf(page);
    const oldest = rows.findIndex((row) => known.has(row.dataset.id));
    const above = oldest < 0 ? rows : rows.slice(0, oldest);
    this.#fresh = above.filter((row) => !known.has(row.dataset.id));
    if (!known.size && rows.length) this.#show(page);
    else if (this.#isAtTop) this.#letIn();
    else this.#tellFresh();
  }

  get #isNewestFirst() {
    const query = new URLSearchParams(location.search);
    return !["q", "after", "before", "page"].some((name) => query.get(name));
  }

  get #isAtTop() {
    return this.#list.getBoundingClientRect().top >= 0;
  }

  #letIn() {
    this.#fresh.forEach(showLocalTime);
    for (const row of this.#fresh) row.classList.add("conversation--new");
    this.#list.prepend(...this.#fresh);
    this.#fresh = [];
    this.#tellFresh();
  }

  #tellFresh() {
    const count = this.#fresh.length;
    const more = this.#part("fresh");
    more.hidden = !count;
    more.textContent = `${count} new ${count === 1 ? "conversation" : "conversations"}`;
  }

  #press = (event) => {
    const part = event.target.closest("[data-part]")?.dataset.part;
    if (part === "fresh") this.#backToTop();
    if (part === "older") this.#goOn(event);
  };

  #backToTop() {
    this.#letIn();
    this.scrollIntoView();
    // The button goes away; whoever came by keyboard is to be among the rows and not nowhere.
    this.#list.focus({ preventScroll: true });
  }

  async #goOn(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const page = await pageAt(event.target.href);
    if (!page) return;
    const known = new Set(this.#rows.map((row) => row.dataset.id));
    const rows = rowsOf(page).filter((row) => !known.has(row.dataset.id));
    rows.forEach(showLocalTime);
    this.#list.append(...rows);
    const older = takenFrom(page, "older");
    if (older) this.#part("older").href = older.href;
    else this.#part("older").remove();
    rows[0]?.querySelector("a").focus();
  }
}

/** The page as the server renders it now; null where it cannot be had, and nothing changes. */
async function pageAt(address, signal) {
  try {
    const answer = await fetch(address, { signal });
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return null;
  }
}

function rowsOf(page) {
  return [...page.querySelectorAll(".conversations > .conversation")];
}

function takenFrom(page, name) {
  return page.querySelector(`conversation-list [data-part="${name}"]`);
}

customElements.define("conversation-list", ConversationList);
