// A growing text → the HTML of its blocks, one element each. Only the last two blocks are read again
// when more comes. Two, as the line that has begun may yet belong to the block before it: "2" is a
// paragraph, and "2." goes on with a list. What lies further back changes by link definitions only.

import { Lexer, Marked } from "../../vendor/marked/marked.esm.js";

const WEB_ADDRESS = /^(?:https?:\/\/|mailto:)/i;
// Whoever answers from the record says where in it that stands.
const OF_THE_RECORD = /^\/conversations\/[\w.~%-]+$/;
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);base64,[a-z0-9+/=]+$/i;

// A page has its own first headings; those of a text begin below them.
const FIRST_HEADING = 3;

const renderer = {
  code({ text, lang = "" }) {
    const language = /^[\w+#.-]+/.exec(lang)?.[0];
    const named = language ? ` class="language-${language.toLowerCase()}"` : "";
    return `<pre><code${named}>${escaped(text)}</code></pre>`;
  },
  heading({ tokens, depth }) {
    const level = Math.min(depth + FIRST_HEADING - 1, 6);
    return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
  },
  link({ href, title, tokens }) {
    const words = this.parser.parseInline(tokens);
    if (!WEB_ADDRESS.test(href) && !OF_THE_RECORD.test(href)) return words;
    return `<a href="${escaped(href)}"${titled(title)}>${words}</a>`;
  },
  // A picture from elsewhere would tell its server who reads this, and when: it becomes a link.
  image({ href, title, text }) {
    const words = escaped(text || title || "picture");
    if (PICTURE.test(href)) return `<img src="${href}" alt="${words}"${titled(title)}>`;
    return WEB_ADDRESS.test(href) ? `<a href="${escaped(href)}">${words}</a>` : words;
  },
  checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  // Nothing that the tokenizer below lets through; should it ever, it is text.
  html: ({ text }) => escaped(text),
};

// Markup is text like any other. (False would ask the original; undefined says "none here".)
const tokenizer = { html: () => undefined, tag: () => undefined };

const marked = new Marked({ renderer, tokenizer });

export class Blocks {
  #ended = []; // HTML of the blocks that have ended
  #endedText = "";
  #tail = ""; // from the beginning of the last block but one
  #links = {}; // definitions in what has ended
  #allLinks = "";
  #endsInReturn = false;

  /** The HTML of all blocks, with this piece behind the rest. */
  append(piece) {
    this.#tail += this.#withOneKindOfLineEnd(piece);
    const { tokens, links } = this.#read();
    const all = JSON.stringify(links);
    if (all !== this.#allLinks) {
      this.#allLinks = all;
      return this.#again(links);
    }
    return this.#keep(tokens);
  }

  #withOneKindOfLineEnd(piece) {
    const rest = this.#endsInReturn && piece.startsWith("\n") ? piece.slice(1) : piece;
    if (piece) this.#endsInReturn = piece.endsWith("\r");
    return rest.replace(/\r\n?/g, "\n");
  }

  #read(known = this.#links) {
    const lexer = new Lexer(marked.defaults);
    Object.assign(lexer.tokens.links, known);
    return { tokens: lexer.lex(this.#tail), links: lexer.tokens.links };
  }

  /** A link that was defined just now may be used in any block. */
  #again(links) {
    this.#tail = this.#endedText + this.#tail;
    [this.#ended, this.#endedText, this.#links] = [[], "", {}];
    return this.#keep(this.#read(links).tokens);
  }

  #keep(tokens) {
    const isBlock = ({ type }) => type !== "space";
    const last = tokens.findLastIndex(isBlock);
    const open = Math.max(tokens.slice(0, Math.max(last, 0)).findLastIndex(isBlock), 0);
    const ended = tokens.slice(0, open);
    const length = ended.reduce((sum, { raw }) => sum + raw.length, 0);
    for (const token of ended) {
      if (token.type === "def") this.#links[token.tag] ??= token;
      this.#ended.push(...htmlOf(token));
    }
    this.#endedText += this.#tail.slice(0, length);
    this.#tail = this.#tail.slice(length);
    return [...this.#ended, ...tokens.slice(open).flatMap(htmlOf)];
  }
}

function htmlOf(token) {
  if (token.type === "space" || token.type === "def") return [];
  return [marked.parser([token])];
}

const titled = (title) => (title ? ` title="${escaped(title)}"` : "");

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escaped(text) {
  return text.replace(/[&<>"']/g, (one) => ENTITIES[one]);
}
