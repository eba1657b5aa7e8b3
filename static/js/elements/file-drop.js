// <file-drop> sends the files of its form one after the other, as soon as they are chosen or
// dropped anywhere on the page. Each import that comes of it is told to the page as the event
// "import-opened". Without scripts the form sends them itself.

import { toast } from "../toast.js";
import { send } from "../upload.js";

class FileDrop extends HTMLElement {
  #waiting = [];
  #isSending = false;
  #depth = 0; // how many elements deep the dragged files are in the page

  connectedCallback() {
    this.#form.addEventListener("submit", this.#submit);
    this.#input.addEventListener("change", this.#choose);
    addEventListener("dragenter", this.#enter);
    addEventListener("dragleave", this.#leave);
    addEventListener("dragover", this.#over);
    addEventListener("drop", this.#drop);
    addEventListener("beforeunload", this.#warn);
    this.querySelector(".drop__hint").hidden = false;
    this.querySelector(".drop > .button").hidden = true;
  }

  disconnectedCallback() {
    removeEventListener("dragenter", this.#enter);
    removeEventListener("dragleave", this.#leave);
    removeEventListener("dragover", this.#over);
    removeEventListener("drop", this.#drop);
    removeEventListener("beforeunload", this.#warn);
    for (const upload of this.#waiting) upload.stop.abort();
  }

  get #form() {
    return this.querySelector("form");
  }

  get #input() {
    return this.querySelector('input[type="file"]');
  }

  get #list() {
    return this.querySelector(".uploads");
  }

  #submit = (event) => {
    event.preventDefault();
    this.#choose();
  };

  #choose = () => {
    this.#take([...this.#input.files]);
    this.#input.value = "";
  };

  #enter = (event) => {
    if (!bringsFiles(event)) return;
    this.#depth += 1;
    this.toggleAttribute("over", true);
  };

  #leave = (event) => {
    if (!bringsFiles(event)) return;
    this.#depth -= 1;
    this.toggleAttribute("over", this.#depth > 0);
  };

  #over = (event) => {
    if (bringsFiles(event)) event.preventDefault();
  };

  #drop = (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    this.#depth = 0;
    this.toggleAttribute("over", false);
    const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
    const files = items.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory);
    if (files.length < items.length) {
      toast("A folder is more than a page can take: agentpipe upload sends it", { tone: "bad" });
    }
    this.#take(files.map((item) => item.getAsFile()));
  };

  #warn = (event) => {
    if (this.#waiting.length) event.preventDefault();
  };

  #take(files) {
    for (const file of files) this.#waiting.push(this.#uploadOf(file));
    this.#list.hidden = !this.#list.children.length;
    this.#sendNext();
  }

  #uploadOf(file) {
    const row = this.querySelector("template").content.firstElementChild.cloneNode(true);
    // The same for each attempt: what came in, though its answer was lost, is not imported twice.
    const upload = { file, row, key: randomKey(), stop: new AbortController() };
    row.querySelector('[data-part="name"]').textContent = file.name;
    row.querySelector('[data-part="drop"]').addEventListener("click", () => this.#leaveOut(upload));
    row.querySelector('[data-part="again"]').addEventListener("click", () => this.#again(upload));
    say(upload, "waits for its turn");
    this.#list.append(row);
    return upload;
  }

  async #sendNext() {
    if (this.#isSending) return;
    this.#isSending = true;
    for (let upload; (upload = this.#waiting.find(({ failed }) => !failed)); ) await this.#send(upload);
    this.#isSending = false;
  }

  async #send(upload) {
    const progress = upload.row.querySelector("progress");
    say(upload, "is being sent");
    try {
      const { job } = await send(this.#form.dataset.door, upload.file, {
        token: this.#form.elements.csrfmiddlewaretoken.value,
        key: upload.key,
        signal: upload.stop.signal,
        onProgress: (part) => {
          progress.value = part;
          say(upload, part < 1 ? `${Math.floor(part * 100)} % sent` : "sent, is being stored");
        },
        onWait: (seconds) => say(upload, `too many at once: goes on in ${seconds} s`),
      });
      this.#remove(upload);
      this.dispatchEvent(new CustomEvent("import-opened", { bubbles: true, detail: job }));
      toast(`${upload.file.name} has come in`);
    } catch (error) {
      if (upload.stop.signal.aborted) return;
      upload.failed = true;
      upload.row.dataset.failed = "";
      upload.row.querySelector('[data-part="again"]').hidden = false;
      say(upload, error.message);
      toast(`${upload.file.name}: ${error.message}`, { tone: "bad" });
    }
  }

  #again(upload) {
    upload.failed = false;
    delete upload.row.dataset.failed;
    upload.row.querySelector('[data-part="again"]').hidden = true;
    say(upload, "waits for its turn");
    this.#input.focus();
    this.#sendNext();
  }

  #leaveOut(upload) {
    upload.stop.abort();
    this.#remove(upload);
    this.#input.focus();
  }

  #remove(upload) {
    this.#waiting = this.#waiting.filter((one) => one !== upload);
    upload.row.remove();
    this.#list.hidden = !this.#list.children.length;
  }
}

function say({ row }, words) {
  row.querySelector('[data-part="state"]').textContent = words;
}

function bringsFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

function randomKey() {
  // randomUUID is not there over plain HTTP.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16)).join("-");
}

customElements.define("file-drop", FileDrop);
