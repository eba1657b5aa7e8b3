// What pages of chats and runs ask of the server. Whatever fails, fails with a sentence for the reader.

import { START } from "./stream/resume.js";

const ANSWERED_WITHIN_MS = 30_000;

export function ask(chat, content) {
  return send("POST", `${addressOf(chat)}/messages`, { content });
}

export function rename(chat, title) {
  return send("PATCH", addressOf(chat), { title });
}

export function remove(chat) {
  return send("DELETE", addressOf(chat));
}

export function stop(chat, message) {
  return send("POST", `${addressOf(chat, message)}/cancel`);
}

export function retry(chat, message) {
  return send("POST", `${addressOf(chat, message)}/retry`);
}

/** All steps of an answer that the server still holds, in order. */
export function stepsOf(message) {
  return call(`/api/messages/${encodeURIComponent(message)}/events`);
}

/** All steps of a run that the server still holds, in order. */
export async function stepsOfRun(project, run) {
  const address = `/api/projects/${encodeURIComponent(project)}/runs/${encodeURIComponent(run)}/events`;
  const steps = [];
  for (;;) {
    const since = steps.at(-1)?.id ?? START;
    const next = await call(`${address}?${new URLSearchParams({ since })}`);
    if (!next.length) return steps;
    steps.push(...next.map((step) => ({ ...step, timestamp: step.ts })));
  }
}

/** The answer to a question as it is stored. */
export async function answerTo(chat, message) {
  const after = new URLSearchParams({ after: message, page_size: 1 });
  const { items } = await call(`${addressOf(chat)}/messages?${after}`);
  return items[0];
}

function addressOf(chat, message) {
  const address = `/api/chats/${encodeURIComponent(chat)}`;
  return message ? `${address}/messages/${encodeURIComponent(message)}` : address;
}

function send(method, path, body = {}) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
  return call(path, { method, headers, body: JSON.stringify(body) });
}

async function call(path, options = {}) {
  const signal = AbortSignal.timeout(ANSWERED_WITHIN_MS);
  let response;
  try {
    response = await fetch(path, { ...options, signal });
  } catch {
    throw new Error("The server cannot be reached: try again");
  }
  if (response.ok) return response.json();
  throw Object.assign(new Error(await complaintOf(response)), { status: response.status });
}

async function complaintOf(response) {
  const { error, message, retryAfter } = await response.json().catch(() => ({}));
  if (response.status === 401) return "You are signed out: sign in in another tab, and try again";
  if (retryAfter) return `That is too much at a time: try again in ${retryAfter} s`;
  return [error, message].filter(Boolean).join(": ") || "The server has failed: try again";
}
