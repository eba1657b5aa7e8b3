// <chat-box chat="ID"> around the box for a question: Enter sends it. Without `chat` the form opens
// a new chat, as it does where there are no scripts.

import { ask } from "../chat.js";

const isByTouch = matchMedia("(pointer: coarse)");

class ChatBox extends HTMLElement {
  #isSending = false;

  connectedCallback() {
    this.#form.addEventListener("submit", this.#submit);
    this.#question.addEventListener("keydown", this.#press);
    this.#question.addEventListener("input", this.#forgive);
    addEventListener("pageshow", this.#comeBack);
    this.#hint.textContent = isByTouch.matches ? "" : "Enter sends, Shift+Enter begins a new line";
  }

  disconnectedCallback() {
    this.#form.removeEventListener("submit", this.#submit);
    this.#question.removeEventListener("keydown", this.#press);
    this.#question.removeEventListener("input", this.#forgive);
    removeEventListener("pageshow", this.#comeBack);
  }

  /** Nothing can be asked any more, for this reason. */
  close(reason) {
    this.#question.disabled = this.#send.disabled = true;
    this.#complaint.textContent = reason;
  }

  /** The server has this question: where that was not known here, it need not be sent again. */
  noteAsked(content) {
    if (!this.#isSending && this.#isRefused && this.#question.value === content) this.#clear();
  }

  get #form() {
    return this.closest("form");
  }

  get #question() {
    return this.querySelector("textarea");
  }

  get #hint() {
    return this.querySelector(".ask__hint");
  }

  get #send() {
    return this.querySelector(".ask__send");
  }

  get #complaint() {
    return this.querySelector("#ask-complaint");
  }

  get #isRefused() {
    return this.#question.ariaInvalid === "true";
  }

  #press = (event) => {
    // On a touch screen there is no Shift for a new line; and an Enter may choose a word only.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || isByTouch.matches) return;
    event.preventDefault();
    this.#form.requestSubmit();
  };

  #submit = (event) => {
    const isEmpty = !this.#question.value.trim();
    const chat = this.getAttribute("chat");
    if (isEmpty || this.#isSending || chat) event.preventDefault();
    if (isEmpty) this.#complain("Write a question first");
    else if (!this.#isSending) this.#sendTo(chat);
  };

  async #sendTo(chat) {
    this.#showSending(true);
    if (!chat) return; // the form goes, and the page with it
    const content = this.#question.value;
    try {
      const { message_id: message } = await ask(chat, content);
      if (this.#question.value === content) this.#clear();
      const detail = { message, content };
      this.dispatchEvent(new CustomEvent("asked", { bubbles: true, detail }));
    } catch (error) {
      this.#complain(error.message);
    } finally {
      this.#showSending(false);
    }
  }

  #showSending(isSending) {
    this.#isSending = isSending;
    this.#send.ariaDisabled = isSending ? "true" : null;
    this.#send.textContent = isSending ? "Sending…" : "Send";
  }

  #clear() {
    this.#question.value = "";
    this.#forgive();
  }

  #complain(words) {
    this.#question.ariaInvalid = "true";
    this.#complaint.textContent = words;
    this.#question.focus();
  }

  /** The browser has kept the page as it was left, while its form went. */
  #comeBack = ({ persisted }) => {
    if (persisted) this.#showSending(false);
  };

  #forgive = () => {
    this.#question.ariaInvalid = null;
    this.#complaint.textContent = "";
  };
}

customElements.define("chat-box", ChatBox);
