// What frames make of what a page shows. Pure: a state and a frame in, the next state out.

import { seqOf } from "./resume.js";

export const MOST_ROWS = 500;
const MOST_NAMES = 2 * MOST_ROWS;
export const PREVIEW_LENGTH = 300;

// The server words the rows of the past with the same table, in conversations/pages/feed.py.
const HAPPENED = {
  "conversation.started": "Conversation started",
  "conversation.completed": "Conversation completed",
  "conversation.interrupted": "Conversation interrupted",
  "conversation.error": "Error",
  "message.created": "Message",
  "error.occurred": "Error",
  "bridge.connected": "Bridge connected",
  "bridge.test": "Bridge tested",
  "log.entry": "Log entry",
};

export const GAP = "stream.truncated";

export const emptyFeed = Object.freeze({
  seq: 0,
  rows: Object.freeze([]), // newest first
  names: new Map(), // conversation id → name, or "" where it is not known yet
  restarts: 0, // how often the server's log has begun anew
});

/** The feed of a project, after one more frame. */
export function reduceFeed(state, frame) {
  if (frame.type === GAP) return withGap(state, frame);
  if (frame.seq <= state.seq) return state;
  const next = { ...state, seq: frame.seq };
  if (!Object.hasOwn(HAPPENED, frame.type)) return next; // from a newer server, or not for a feed
  const told = withRow(next, rowOf(frame));
  const { conversationId, conversation } = frame.data ?? {};
  return text(conversation?.name) ? withName(told, conversationId, conversation.name) : told;
}

/** The feed, once the name of a conversation is known; names that no row needs are forgotten. */
export function withName(state, id, name) {
  let known = [...state.names];
  if (known.length > MOST_NAMES) {
    const needed = new Set(state.rows.map((row) => row.conversation));
    known = known.filter(([one]) => needed.has(one));
  }
  return { ...state, names: new Map([...known, [id, name]]) };
}

/** What one frame looks like as a row; contents are cut to a preview. */
export function rowOf(frame) {
  const data = frame.data ?? {};
  const about = typeof data.message === "object" ? (data.message ?? data) : data;
  return {
    seq: frame.seq,
    kind: frame.type,
    timestamp: frame.timestamp,
    conversation: text(data.conversationId),
    happened: happened(frame.type, data),
    agent: agentOf(data, about),
    agentId: data.conversation ? "" : idOf(about),
    preview: preview(contentOf(data, about)),
    tokens: about.totalTokens || 0,
    cost: about.cost || about.totalCost || 0,
  };
}

function withRow(state, row) {
  return { ...state, rows: [row, ...state.rows].slice(0, MOST_ROWS) };
}

function withGap(state, { oldestId, timestamp }) {
  const seq = Math.max((seqOf(oldestId) ?? 1) - 1, 0);
  // Behind what we hold, the log has begun anew: what was shown is of another log.
  const isNewLog = seq < state.seq;
  const kept = isNewLog ? { ...state, rows: [], restarts: state.restarts + 1 } : state;
  const row = { ...rowOf({ type: GAP, seq, timestamp }), happened: "Older events are gone" };
  return withRow({ ...kept, seq }, row);
}

function happened(kind, data) {
  if (kind === "conversation.completed" && data.status === "ERROR") return "Conversation failed";
  return HAPPENED[kind];
}

function agentOf({ conversation, ...data }, about) {
  if (conversation?.participants) {
    return conversation.participants.map(nameOf).filter(Boolean).join(", ");
  }
  return nameOf(about) || text(data.message?.role);
}

function nameOf(one) {
  return text(one.agentName) || text(one.agentType) || text(one.agentId);
}

/** By which an agent has its colour. */
function idOf(one) {
  return text(one.agentId) || text(one.agentType) || text(one.agentName);
}

function contentOf(data, about) {
  const candidates = [
    about.content,
    data.summary?.shortText,
    data.summary?.text,
    data.initialPrompt,
    data.error,
    data.reason,
    data.message, // of a bridge
  ];
  return candidates.map(text).find(Boolean) ?? "";
}

function preview(content) {
  // By code points, so that no emoji is cut in two; of the beginning only, as contents may be long.
  const start = Array.from(content.slice(0, 2 * PREVIEW_LENGTH + 2));
  if (start.length <= PREVIEW_LENGTH) return start.join("");
  return `${start.slice(0, PREVIEW_LENGTH).join("")}…`;
}

function text(value) {
  return typeof value === "string" ? value : "";
}
