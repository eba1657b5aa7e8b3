import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyFeed, MOST_ROWS, reduceFeed, withName } from "../../static/js/stream/reduce.js";

const said = (seq, content = `number ${seq}`) => ({
  id: `1_${String(seq).padStart(4, "0")}_00000000`,
  seq,
  type: "message.created",
  timestamp: "2026-11-21T10:00:00Z",
  data: { conversationId: "tower", message: { agentName: "Ada", content, totalTokens: 3, cost: 0.5 } },
});

const started = (seq, id, name) => ({
  ...said(seq),
  type: "conversation.started",
  data: { conversationId: id, conversation: { name, participants: [{ agentType: "claude" }] } },
});

const truncated = (oldestId) => ({ type: "stream.truncated", timestamp: "2026-11-21T10:00:00Z", oldestId });

const after = (...frames) => frames.reduce(reduceFeed, emptyFeed);

test("the newest event stands first", () => {
  const rows = after(said(1), said(2)).rows;

  assert.deepEqual(rows.map((row) => row.preview), ["number 2", "number 1"]);
  assert.deepEqual([rows[0].agent, rows[0].tokens, rows[0].cost], ["Ada", 3, 0.5]);
});

test("an event that came before changes nothing", () => {
  const state = after(said(1), said(2));

  assert.equal(reduceFeed(state, said(2)), state);
  assert.equal(reduceFeed(state, said(1)), state);
});

test("a kind from a newer server moves on without a row", () => {
  for (const type of ["agent.dreamed", "toString", "__proto__"]) {
    const state = after(said(1), { ...said(2), type, data: undefined });

    assert.equal(state.seq, 2);
    assert.equal(state.rows.length, 1);
  }
});

test("no more rows are held than a page shows", () => {
  let state = emptyFeed;
  for (let seq = 1; seq <= MOST_ROWS + 20; seq += 1) state = reduceFeed(state, said(seq));

  assert.equal(state.rows.length, MOST_ROWS);
  assert.equal(state.rows.at(-1).seq, 21);
});

test("a state is never changed in place", () => {
  const state = after(started(1, "tower", "A tower"));
  const copy = structuredClone(state);

  reduceFeed(state, said(2));
  withName(state, "tower", "Another");

  assert.deepEqual(structuredClone(state), copy);
  assert.ok(Object.isFrozen(emptyFeed) && Object.isFrozen(emptyFeed.rows));
});

test("a conversation is known by the name it started with, whatever its id", () => {
  const { names } = after(started(1, "__proto__", "A tower"), started(2, "constructor", "A moat"));

  assert.equal(names.get("__proto__"), "A tower");
  assert.equal(names.get("constructor"), "A moat");
});

test("names are forgotten where no row needs them", () => {
  let state = after(started(1, "tower", "A tower"));
  for (let number = 0; number < 5_000; number += 1) state = withName(state, `c${number}`, "gone");

  assert.ok(state.names.size < 1_100);
  assert.equal(state.names.get("tower"), "A tower");
});

test("a preview is short and cuts no character in two", () => {
  const [row] = after(said(1, "😀".repeat(1000))).rows;

  assert.equal(row.preview, `${"😀".repeat(300)}…`);
});

test("events that were pruned meanwhile leave a mark, and what follows goes on", () => {
  const state = after(said(1), truncated("9_0050_00000000"), said(50));

  assert.deepEqual(state.rows.map((row) => row.happened), ["Message", "Older events are gone", "Message"]);
  assert.equal(state.restarts, 0);
});

test("a log that has begun anew takes the rows of the old one away", () => {
  const state = after(said(70), truncated("9_0001_00000000"), said(1));

  assert.deepEqual(state.rows.map((row) => row.preview), ["number 1", ""]);
  assert.equal(state.restarts, 1);
});

test("fields of the wrong kind are absent", () => {
  const data = { conversationId: 7, message: { content: {}, agentName: [] }, summary: "none" };
  const [row] = after({ ...said(1), data }).rows;

  assert.deepEqual([row.conversation, row.preview, row.agent], ["", "", ""]);
});
