// The second wall: whatever HTML comes in, what goes out is one of these elements and says one of
// these things.

import DOMPurify from "../../vendor/dompurify/purify.es.mjs";

const TEXT = {
  ALLOWED_TAGS: [
    ...["p", "h3", "h4", "h5", "h6", "blockquote", "hr", "ul", "ol", "li", "pre", "code"],
    ...["strong", "em", "del", "br", "a", "img"],
    ...["table", "thead", "tbody", "tr", "th", "td", "#text"],
  ],
  ALLOWED_ATTR: ["href", "src", "alt", "title", "align", "start", "class"],
  ADD_URI_SAFE_ATTR: ["align", "start"],
  ALLOWED_URI_REGEXP:
    /^(?:https?:\/\/|mailto:|data:image\/(?:png|jpeg|gif|webp);base64,|\/conversations\/[\w.~%-]+$)/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const COLOURS = { ...TEXT, ALLOWED_TAGS: ["span", "#text"], ALLOWED_ATTR: ["class"] };

const LANGUAGE = /^language-[\w+#.-]+$/;

/** The element of one block of a text. */
export function safeElement(html) {
  const block = DOMPurify.sanitize(html, TEXT)?.firstElementChild ?? document.createElement("p");
  const holder = document.createDocumentFragment();
  holder.append(block);
  for (const one of holder.querySelectorAll("[class]")) {
    if (one.localName !== "code" || !LANGUAGE.test(one.className)) one.removeAttribute("class");
  }
  for (const link of holder.querySelectorAll('a:not([href^="/"])')) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow ugc";
  }
  // What scrolls by itself has to be reached by keyboard, too.
  for (const wide of holder.querySelectorAll("pre, table")) wide.tabIndex = 0;
  return block;
}

/** The coloured words of a piece of code. */
export function safeColours(html) {
  return DOMPurify.sanitize(html, COLOURS);
}
