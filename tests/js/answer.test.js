import assert from "node:assert/strict";
import { test } from "node:test";

import { activityOf, isFinished } from "../../static/js/stream/answer.js";
import { emptyAnswer, reduceAnswer } from "../../static/js/stream/index.js";

const TS = "2026-11-21T10:00:00Z";

const START = { type: "start", run_id: "r1" };
const END = { type: "end", status: "completed", ms_total: 1200, tool_calls: 1, usage: { total_tokens: 3 } };

const numbered = (steps) => steps.map((step, number) => ({ ts: TS, ...step, seq: number + 1 }));
const after = (...steps) => numbered(steps).reduce(reduceAnswer, emptyAnswer);
const said = (md) => ({ type: "content", md });
const called = (call_id, name = "search") => ({ type: "tool_start", call_id, name, args_summary: "towers" });
const answered = (call_id, status = "ok") => ({
  ...{ type: "tool_end", call_id, name: "search", status, ms: 12 },
  result_summary: "3 found",
});

test("pieces make the answer, and a step that comes twice counts once", () => {
  const steps = numbered([START, said("Steel"), said(".")]);
  const answer = [...steps, ...steps].reduce(reduceAnswer, emptyAnswer);

  assert.deepEqual([answer.content, answer.phase, answer.isStreaming], ["Steel.", "processing", true]);
  assert.equal(reduceAnswer(answer, steps[1]), answer);
});

test("steps of a list, which have no number but in their ids, count alike", () => {
  const listed = { v: 1, type: "content", id: "1795259320662_0001_5b0a95b8", ts: TS, md: "Steel." };

  assert.deepEqual([listed, listed].reduce(reduceAnswer, emptyAnswer).content, "Steel.");
});

test("what comes when somebody is told all over again is the same answer", () => {
  const steps = numbered([START, called("c1"), answered("c1"), said("a"), said("b"), END]);
  const whole = steps.reduce(reduceAnswer, emptyAnswer);

  for (let cut = 0; cut <= steps.length; cut++) {
    const before = steps.slice(0, cut).reduce(reduceAnswer, emptyAnswer);
    assert.deepEqual(steps.reduce(reduceAnswer, before), whole);
  }
});

test("a tool that is called runs until it has answered, and the others stay as they were", () => {
  const running = after(START, called("c1"), called("c2", "read"));
  const done = after(START, called("c1"), called("c2", "read"), answered("c2", "error"));

  assert.deepEqual(running.toolCalls[0], {
    ...{ id: "c1", name: "search", status: "running", startTime: Date.parse(TS), args: "towers" },
  });
  assert.deepEqual(done.toolCalls.map(({ status }) => status), ["running", "error"]);
  assert.deepEqual([done.toolCalls[1].duration, done.toolCalls[1].result], [12, "3 found"]);
  assert.deepEqual(running.toolCalls[1].status, "running");
});

test("an answer that starts over drops what was said, and keeps its thoughts and tools", () => {
  const reset = { type: "status", text: "Starting this part over", reset: true };
  const thought = { type: "rationale", text: "Wind" };
  const answer = after(START, called("c1"), thought, said("Stone"), reset, { ...thought, text: "Weight" }, said("Steel"));

  assert.deepEqual([answer.content, answer.restarts, answer.phase], ["Steel", 1, "processing"]);
  assert.deepEqual([answer.rationale, answer.toolCalls.length], ["Wind\n\nWeight", 1]);
});

test("an answer that is tried again waits, and then begins with nothing", () => {
  const failed = [START, called("c1"), said("Stone"), { type: "error", error: "No reply" }, { ...END, status: "error" }];
  const waiting = after(...failed, { type: "status", text: "Trying again", reset: true });
  const begun = after(...failed, { type: "status", reset: true }, { ...START, run_id: "r2" });

  assert.deepEqual([waiting.phase, waiting.content, waiting.error, waiting.ms], ["pending", "", null, null]);
  assert.deepEqual([begun.phase, begun.runId, begun.toolCalls], ["processing", "r2", []]);
});

for (const [status, shown] of [
  ["completed", "Completed"],
  ["cancelled", "Cancelled"],
  ["error", "Failed"],
]) {
  test(`an end that is ${status} is shown as ${shown}, with what it took`, () => {
    const answer = after(START, said("Steel"), { ...END, status });

    assert.deepEqual([answer.phase, answer.status, answer.isStreaming], [status, shown, false]);
    assert.deepEqual([answer.ms, answer.toolCount, answer.usage], [1200, 1, { total_tokens: 3 }]);
    assert.equal(isFinished(answer), true);
  });
}

test("it says what it is about, by what came last", () => {
  const about = (...steps) => activityOf(after(START, ...steps));

  assert.equal(about({ type: "rationale", text: "Wind" }), "Thinking");
  assert.equal(about(called("c1")), "search towers");
  assert.equal(about(called("c1"), answered("c1")), "Thinking");
  assert.equal(about(said("Steel")), "Writing");
  assert.equal(about(said("Steel"), { type: "status", text: "Measuring" }), "Measuring");
  assert.equal(about({ type: "status", text: "Measuring" }, said("Steel")), "Writing");
});

test("an answer whose beginning is gone says so, and goes on", () => {
  const gone = { type: "stream.truncated", oldestId: "1_0007_00000000" };
  const answer = [gone, { seq: 7, ...said("metres") }].reduce(reduceAnswer, after(START, said("42")));

  assert.deepEqual([answer.isPartial, answer.content, answer.seq], [true, "metres", 7]);
});

test("a kind from a newer server changes nothing", () => {
  assert.deepEqual(after({ type: "hologram" }), { ...emptyAnswer, seq: 1 });
});
