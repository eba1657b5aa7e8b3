// <conversation-header conversation="ID"> keeps the name, the state and the figures of a
// conversation as they are on the server, and sends changes of the name and the notes there.

import { closeMenu, tendMenus } from "../menus.js";
import { toast } from "../toast.js";
import { dollars, lasted, thousands } from "../figures.js";
import { showLocalTime } from "./feed-row.js";

const LOOK_EVERY_MS = 1000;

class ConversationHeader extends HTMLElement {
  #looking = null;
  #leaveMenus = null;

  connectedCallback() {
    document.addEventListener("conversation-event", this.#listen);
    this.addEventListener("submit", this.#send);
    showLocalTime(this);
    this.#leaveMenus = tendMenus(this);
  }

  disconnectedCallback() {
    document.removeEventListener("conversation-event", this.#listen);
    this.removeEventListener("submit", this.#send);
    this.#leaveMenus();
    clearTimeout(this.#looking);
    this.#looking = null;
  }

  get #address() {
    return `/api/conversations/${encodeURIComponent(this.getAttribute("conversation"))}`;
  }

  #part(name) {
    return this.querySelector(`[data-part="${name}"]`);
  }

  // What becomes of it

  #listen = ({ detail: { type } }) => {
    if (type === "conversation.deleted") this.#tellGone();
    else this.#looking ??= setTimeout(this.#look, LOOK_EVERY_MS);
  };

  #look = async () => {
    this.#looking = null;
    try {
      const answer = await fetch(this.#address);
      if (answer.ok) this.#show(await answer.json());
    } catch {
      // The page says already that there is no connection; the next event brings us here again.
    }
  };

  #show(conversation) {
    const { id, name, status, errorMessage, notes } = conversation;
    say(this.#part("name"), name || id);
    say(this.#part("status"), status[0] + status.slice(1).toLowerCase());
    this.#part("status").dataset.status = status.toLowerCase();
    say(this.#part("messages"), thousands(conversation.totalMessages));
    say(this.#part("tokens"), conversation.totalTokens ? thousands(conversation.totalTokens) : "—");
    say(this.#part("cost"), dollars(conversation.totalCost));
    const estimate = this.#part("estimate");
    if (estimate) estimate.hidden = !conversation.totalCost;
    say(this.#part("duration"), lasted(conversation.totalDuration));
    say(this.#part("error"), errorMessage ?? "");
    this.#part("error").hidden = !errorMessage;
    renew(this.querySelector("[name=name]"), name);
    renew(this.querySelector("[name=notes]"), notes);
  }

  #tellGone() {
    say(this.#part("status"), "Deleted");
    this.#part("status").dataset.status = "error";
    for (const button of this.querySelectorAll("button")) button.disabled = true;
  }

  // Changing it

  #send = async (event) => {
    const form = event.target;
    if (!["rename", "notes"].includes(form.dataset.part)) return;
    event.preventDefault();
    const { csrfmiddlewaretoken: token, ...changed } = Object.fromEntries(new FormData(form));
    try {
      const answer = await fetch(this.#address, {
        method: "PATCH",
        headers: { "Content-Type": "application/json", "X-CSRFToken": token },
        body: JSON.stringify(changed),
      });
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.message ?? told.error);
      this.#saved(form, told);
    } catch (error) {
      toast(`Not saved: ${error.message}`, { tone: "bad" });
    }
  };

  #saved(form, conversation) {
    for (const field of form.querySelectorAll("input, textarea")) field.defaultValue = field.value;
    this.#show(conversation);
    toast("Saved");
    closeMenu(form);
  }
}

function say(place, words) {
  if (place.textContent !== words) place.textContent = words;
}

/** What somebody is writing stays. */
function renew(field, value) {
  if (field.value !== field.defaultValue) return;
  field.value = field.defaultValue = value;
}

customElements.define("conversation-header", ConversationHeader);
