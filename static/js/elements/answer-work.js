// How an answer came about: its plan, its tools and its thoughts, kept up in place. An item that
// stays is the element that it was, so that whoever reads or has marked something is left alone.

import { durationWords } from "./answer-words.js";

const STATES = { pending: "to do", in_progress: "in progress", completed: "done" };

export function showPlan(list, plan) {
  list.hidden = !plan.length;
  fit(list, plan.length, () => element("li", "plan__item"));
  plan.forEach(({ text, status }, place) => {
    const item = list.children[place];
    if (item.dataset.status === status && item.firstChild.data === text) return;
    item.dataset.status = status;
    const state = element("span", "visually-hidden");
    state.textContent = ` (${STATES[status] ?? status})`;
    item.replaceChildren(text, state);
  });
}

export function showTools(list, calls) {
  list.hidden = !calls.length;
  fit(list, calls.length, emptyTool);
  calls.forEach((call, place) => showTool(list.children[place], call));
}

export function showThoughts(thinking, thoughts) {
  thinking.hidden = !thoughts.length;
  const place = thinking.querySelector('[data-part="thoughts"]');
  fit(place, thoughts.length, () => element("p", "thinking__thought"));
  thoughts.forEach((thought, number) => say(place.children[number], thought));
}

function emptyTool() {
  const item = element("li", "tool");
  const call = element("span", "tool__call");
  const [args, took] = [element("span", "tool__args"), element("span", "tool__took")];
  call.append(element("code", "tool__name"), " ", args, " ", took);
  const result = element("span", "tool__result");
  args.dir = result.dir = "auto";
  item.append(call, " ", result);
  return item;
}

function showTool(item, { name, args, status, duration, result }) {
  const [named, given, took] = item.querySelector(".tool__call").children;
  item.dataset.status = status;
  say(named, name);
  say(given, args ?? "");
  say(took, status === "running" ? "running" : durationWords(duration ?? 0));
  say(item.querySelector(".tool__result"), result ?? "");
}

function fit(list, length, make) {
  while (list.children.length > length) list.lastElementChild.remove();
  while (list.children.length < length) list.append(make());
}

function say(place, words) {
  if (place.textContent !== words) place.textContent = words;
}

function element(name, className) {
  const made = document.createElement(name);
  made.className = className;
  return made;
}
