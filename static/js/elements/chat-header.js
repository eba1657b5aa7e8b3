// <chat-header chat="ID"> names a chat anew, and leads away from one that is deleted.

import { remove, rename } from "../chat.js";
import { closeMenu, tendMenus } from "../menus.js";
import { toast } from "../toast.js";

class ChatHeader extends HTMLElement {
  #leaveMenus = null;

  connectedCallback() {
    this.addEventListener("submit", this.#send);
    this.#leaveMenus = tendMenus(this);
  }

  disconnectedCallback() {
    this.removeEventListener("submit", this.#send);
    this.#leaveMenus();
  }

  /** What it is called now, whoever has named it. */
  show(name) {
    this.querySelector("h1").textContent = name;
    document.title = `${name} · AgentPipe`;
    const title = this.querySelector("[name=title]");
    // What somebody is writing stays.
    if (title.value === title.defaultValue) title.value = title.defaultValue = name;
  }

  /** There is nothing left to be named or to be deleted. */
  close() {
    for (const button of this.querySelectorAll("button")) button.disabled = true;
  }

  #send = async (event) => {
    event.preventDefault();
    if (this.ariaBusy === "true") return;
    this.ariaBusy = "true";
    try {
      if (event.target.dataset.part === "rename") await this.#rename(event.target);
      else await this.#delete();
    } catch (error) {
      toast(error.message, { tone: "bad" });
    }
    this.ariaBusy = null;
  };

  async #rename(form) {
    const { title } = form.elements;
    const chat = await rename(this.getAttribute("chat"), title.value);
    title.defaultValue = title.value;
    this.show(chat.title);
    toast("Saved");
    closeMenu(form);
  }

  async #delete() {
    await remove(this.getAttribute("chat"));
    location.replace(this.getAttribute("back"));
  }
}

customElements.define("chat-header", ChatHeader);
