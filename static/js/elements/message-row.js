// A message of a conversation: the page's own <template>, filled in as the server would have done.

import { hueOf } from "../hue.js";
import { showLocalTime } from "./feed-row.js";
import { dollars, lasted, thousands } from "../figures.js";

export function makeMessage(template, message, { isEstimate }) {
  const item = template.content.firstElementChild.cloneNode(true);
  fillMessage(item, message, { isEstimate });
  return item;
}

/** Show a message in the row of an earlier state of it, or in a blank one. */
export function fillMessage(item, message, { isEstimate }) {
  const { agentId, agentType, agentName, role, status } = message;
  item.id = `m-${message.id}`;
  item.dataset.id = message.id;
  item.dataset.number = message.sequenceNumber;
  item.dataset.turn = message.turnNumber ?? "";
  item.dataset.hue = hueOf(agentId || agentType || agentName);
  fill(item, "who", agentName || agentType || agentId || role || "Unknown");
  fill(item, "turn", message.turnNumber === null ? "" : `Turn ${message.turnNumber}`);
  fill(item, "role", role === "agent" ? "" : role);
  fill(item, "status", status === "completed" ? "" : status).dataset.status = status;
  fill(item, "model", message.model);
  fill(item, "tokens", message.totalTokens && `${thousands(message.totalTokens)} tokens`);
  fill(item, "cost", message.cost && `${dollars(message.cost)}${isEstimate ? " (estimate)" : ""}`);
  fill(item, "duration", message.duration && lasted(message.duration));
  part(item, "link").href = `?message=${encodeURIComponent(message.id)}`;
  item.querySelector("time").dateTime = message.timestamp;
  write(part(item, "text"), message.content);
  wake(item);
}

/** What scripts add to a row that the server wrote: the reader's own time, and a way to copy. */
export function wake(item) {
  showLocalTime(item);
  part(item, "copy").hidden = false;
}

export function textOf(item) {
  const place = part(item, "text");
  return place.text ?? place.textContent;
}

/** Negative where one stands before the other; each has {number, moment}. */
export function compare(one, other) {
  return one.number - other.number || one.moment - other.moment;
}

export function placeOf(item) {
  return { number: Number(item.dataset.number), moment: momentOf(item) };
}

export function placeOfMessage({ sequenceNumber, timestamp }) {
  return { number: sequenceNumber, moment: Date.parse(timestamp) };
}

export function momentOf(item) {
  return Date.parse(item.querySelector("time").dateTime);
}

function write(place, content) {
  if (place.text === content) return;
  // Out of the document it is no <markdown-text> yet, and reads its text when it gets there.
  if (place.text === undefined) place.textContent = content;
  else place.text = content;
}

function fill(item, name, words) {
  const place = part(item, name);
  place.textContent = words || "";
  place.hidden = !words;
  return place;
}

function part(item, name) {
  return item.querySelector(`[data-part="${name}"]`);
}
