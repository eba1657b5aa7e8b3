import assert from "node:assert/strict";
import { test } from "node:test";

import { MOST_SHOWN, reduceActive, reduceJobs, reduceRuns } from "../../static/js/dashboard.js";

const run = (id, status) => ({ type: "agent.run.updated", run: { id, status } });
const progress = (runId, percentage) => ({
  type: "agent.progress",
  progress: { runId, percentage, tokensUsed: 10 * percentage, cost: percentage / 100 },
});
const started = (id, status = "ACTIVE") => ({
  type: "conversation.started",
  data: { conversationId: id, conversation: { id, status, name: id } },
});
const ids = (things) => things.map(({ id }) => id);

test("runs at work stand before those that have ended, the newest first", () => {
  const frames = [run("a", "queued"), run("b", "running"), run("c", "running"), run("b", "completed")];

  assert.deepEqual(ids(frames.reduce(reduceRuns, [])), ["c", "a", "b"]);
});

test("a list holds no more than is shown, and what goes on stays", () => {
  const runs = Array.from({ length: MOST_SHOWN }, (_, number) => run(`${number}`, "completed"));
  const list = [run("at work", "running"), ...runs, run("new", "completed")].reduce(reduceRuns, []);

  assert.equal(list.length, MOST_SHOWN);
  assert.deepEqual(ids(list).slice(0, 2), ["at work", "new"]);
});

test("progress is added to what is known of a run, and of no other", () => {
  const list = [run("a", "running"), progress("a", 40), progress("never seen", 10)].reduce(reduceRuns, []);

  assert.deepEqual(list, [{ id: "a", status: "running", percentage: 40, totalTokens: 400, cost: 0.4 }]);
});

test("frames of other families leave a list as it is", () => {
  const list = [run("a", "running")].reduce(reduceRuns, []);

  for (const frame of [started("x"), { type: "agent.run.dreamed" }, { type: "agent.progress" }]) {
    assert.equal(reduceRuns(list, frame), list);
  }
  assert.equal(reduceJobs(list, started("x")), list);
});

test("a job is replaced where it stands", () => {
  const job = (id, percentage) => ({ type: "ingest.job.updated", job: { id, percentage, status: "running" } });
  const list = [job("a", 0), job("b", 0), job("a", 50)].reduce(reduceJobs, []);

  assert.deepEqual(list.map(({ id, percentage }) => [id, percentage]), [["b", 0], ["a", 50]]);
});

test("a conversation is active from its start to its end", () => {
  const began = [started("a"), started("b"), started("uploaded", "COMPLETED")].reduce(reduceActive, []);
  assert.deepEqual(ids(began), ["b", "a"]);

  for (const what of ["completed", "interrupted", "deleted"]) {
    const ended = { type: `conversation.${what}`, data: { conversationId: "a" } };
    assert.deepEqual(ids(reduceActive(began, ended)), ["b"]);
  }
});
