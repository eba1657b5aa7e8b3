// A row of the feed: the page's own <template>, filled in. Whatever agents say goes in as text.

import { conversationPage } from "../addresses.js";
import { dollars, thousands } from "../figures.js";
import { hueOf } from "../hue.js";

const times = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dates = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

/** Clone the template and fill it with a row of the reducer. */
export function makeRow(template, row, name) {
  const item = template.content.firstElementChild.cloneNode(true);
  item.dataset.seq = row.seq;
  item.dataset.kind = row.kind;
  item.dataset.conversation = row.conversation;
  fill(item, "happened", row.happened);
  const agent = fill(item, "agent", row.agent);
  if (row.agentId) agent.dataset.hue = hueOf(row.agentId);
  fill(item, "preview", row.preview);
  fill(item, "tokens", row.tokens ? `${thousands(row.tokens)} tokens` : "");
  fill(item, "cost", row.cost ? `${dollars(row.cost)} (estimate)` : "");
  item.querySelector('[data-part="use"]').hidden = !row.tokens && !row.cost;
  nameConversation(item, name || row.conversation);
  if (row.conversation) item.querySelector("a").href = conversationPage(row.conversation);
  item.querySelector("time").dateTime = row.timestamp;
  showLocalTime(item);
  return item;
}

export function nameConversation(item, name) {
  fill(item, "conversation", name);
}

export function nameIn(item) {
  return item.querySelector('[data-part="conversation"]').textContent;
}

/** The server wrote the time in UTC; the reader's own zone is known here only. */
export function showLocalTime(item) {
  const time = item.querySelector("time");
  const moment = new Date(time.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const isToday = moment.toDateString() === new Date().toDateString();
  const clock = times.format(moment);
  time.textContent = isToday ? clock : `${dates.format(moment)}, ${clock}`;
  time.title = moment.toString();
}

function fill(item, part, words) {
  const place = item.querySelector(`[data-part="${part}"]`);
  place.textContent = words;
  place.hidden = !words;
  return place;
}
