// An answer as its steps tell it, schema v1. Pure: a state and a step in, the next state out.
//
// Steps come from a socket as frames, or as server-sent events and lists have them, with `ts` for
// `timestamp`: all of them do.

import { seqOf } from "./resume.js";

export const ANSWER_TYPES = Object.freeze([
  ...["start", "plan", "tool_start", "tool_end", "status", "rationale", "content", "error", "end"],
]);

const FINISHED = new Set(["completed", "error", "cancelled"]);
const ENDINGS = { completed: "Completed", cancelled: "Cancelled", error: "Failed" };

export const emptyAnswer = Object.freeze({
  seq: 0,
  phase: "pending", // then processing, and completed, error or cancelled
  status: "", // the last that was said of it, in words
  activity: "", // the same, until something else happens
  isStreaming: false,
  plan: Object.freeze([]),
  toolCalls: Object.freeze([]),
  thoughts: Object.freeze([]),
  rationale: "", // the thoughts as one text
  content: "", // markdown
  restarts: 0, // how often what was held of the content has been dropped
  isPartial: false, // the server no longer holds what it began with
  runId: null,
  startedAt: null,
  error: null,
  ms: null, // from here on: told by its end
  toolCount: 0,
  usage: null,
});

/** The answer, after one more step; one that came before changes nothing. */
export function reduceAnswer(state, step) {
  if (step.type === "stream.truncated") return withoutBeginning(state, step);
  const seq = step.seq ?? seqOf(step.id);
  if (seq === null || seq <= state.seq) return state;
  const next = { ...state, seq };
  switch (step.type) {
    case "start":
      return started(next, step);
    case "plan":
      return { ...next, plan: step.items };
    case "tool_start":
      return { ...next, activity: "", toolCalls: withTool(next.toolCalls, begun(step)) };
    case "tool_end":
      return { ...next, activity: "", toolCalls: withTool(next.toolCalls, ended(step)) };
    case "rationale":
      return withThought(next, step.text);
    case "status":
      return step.reset ? restarted(next, step) : { ...next, status: step.text, activity: step.text };
    case "content":
      return { ...next, activity: "", content: next.content + step.md };
    case "error":
      return { ...next, error: step.error };
    case "end":
      return finished(next, step);
    default:
      return next; // from a newer server
  }
}

export function isFinished({ phase }) {
  return FINISHED.has(phase);
}

/** What it is about: the tool that runs, what it said of itself, or what came of it last. */
export function activityOf(state) {
  const running = state.toolCalls.findLast(({ status }) => status === "running");
  if (running) return `${running.name} ${running.args ?? ""}`.trim();
  return state.activity || (state.content ? "Writing" : "Thinking");
}

function started(state, step) {
  const isOther = isFinished(state) || (state.runId !== null && state.runId !== step.run_id);
  const { seq, restarts } = state;
  // Another attempt plans, thinks and calls its tools by itself.
  const kept = isOther ? { ...emptyAnswer, seq, restarts: restarts + 1 } : state;
  return {
    ...kept,
    phase: "processing",
    status: "Processing...",
    isStreaming: true,
    runId: step.run_id ?? null,
    startedAt: timeOf(step),
  };
}

function restarted(state, step) {
  const { plan, toolCalls, thoughts, rationale, runId, startedAt, seq, restarts } = state;
  const kept = { plan, toolCalls, thoughts, rationale, runId, startedAt, seq };
  // One that had come to its end waits for its turn again.
  const phase = isFinished(state) ? "pending" : state.phase;
  return {
    ...emptyAnswer,
    ...kept,
    phase,
    status: step.text,
    activity: step.text,
    isStreaming: phase === "processing",
    restarts: restarts + 1,
  };
}

function finished(state, step) {
  return {
    ...state,
    phase: step.status,
    status: ENDINGS[step.status] ?? step.status,
    isStreaming: false,
    ms: step.ms_total ?? null,
    toolCount: step.tool_calls ?? state.toolCalls.length,
    usage: step.usage ?? null,
  };
}

function withoutBeginning({ restarts }, { oldestId }) {
  const seq = Math.max((seqOf(oldestId) ?? 1) - 1, 0);
  return { ...emptyAnswer, seq, restarts: restarts + 1, isPartial: true };
}

function withThought(state, thought) {
  const thoughts = [...state.thoughts, thought];
  return { ...state, activity: "", thoughts, rationale: thoughts.join("\n\n") };
}

function withTool(calls, call) {
  const place = calls.findIndex(({ id }) => id === call.id);
  return place < 0 ? [...calls, call] : calls.with(place, { ...calls[place], ...call });
}

function begun({ call_id: id, name, args_summary: args, ...step }) {
  return { id, name, status: "running", startTime: timeOf(step), args };
}

function ended({ call_id: id, status, ms, result_summary: result, ...step }) {
  const how = status === "ok" ? "completed" : "error";
  return { id, status: how, endTime: timeOf(step), duration: ms, result };
}

function timeOf({ timestamp, ts }) {
  return Date.parse(timestamp ?? ts);
}
