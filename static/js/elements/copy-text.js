// <copy-text> puts a button beside what it holds that copies its text. Without scripts there is
// no button, and the text can be marked by hand.

const SAID_FOR_MS = 2_000;

class CopyText extends HTMLElement {
  #button = document.createElement("button");
  #clock = null;

  connectedCallback() {
    this.#button.className = "button button--quiet copy";
    this.#button.type = "button";
    this.#button.textContent = "Copy";
    this.#button.addEventListener("click", this.#copy);
    this.append(this.#button);
  }

  disconnectedCallback() {
    clearTimeout(this.#clock);
    this.#button.removeEventListener("click", this.#copy);
    this.#button.remove();
  }

  get #source() {
    return this.querySelector("code") ?? this.firstElementChild;
  }

  #copy = async () => {
    try {
      await navigator.clipboard.writeText(this.#source.textContent);
      this.#say("Copied");
    } catch {
      // Not over plain HTTP, and not where the browser is asked and says no.
      getSelection().selectAllChildren(this.#source);
      this.#say("Marked: copy it with Ctrl C");
    }
  };

  #say(words) {
    this.#button.textContent = words;
    this.#button.setAttribute("aria-live", "polite");
    clearTimeout(this.#clock);
    this.#clock = setTimeout(() => (this.#button.textContent = "Copy"), SAID_FOR_MS);
  }
}

customElements.define("copy-text", CopyText);
