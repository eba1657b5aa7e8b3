import assert from "node:assert/strict";
import { test } from "node:test";

import { examine, STATIONS } from "../../static/js/doctor.js";

const NOON = Date.parse("2026-11-21T12:00:00Z");

/** What a server says whose clock is ahead of the browser's by so much. */
const answered = ({ aheadMs = 0, ...times } = {}) => {
  const at = (ms) => new Date(NOON + ms + aheadMs).toISOString();
  const answer = { testId: "t", receivedAt: at(10), storedAt: at(15), rungAt: at(18), answeredAt: at(20) };
  return { sentAt: NOON, answer: { ...answer, ...times }, answeredAt: NOON + 30, isOver: false };
};

const states = ({ stations }) => STATIONS.map((name) => stations[name].state);

test("an event that has passed all stations says what each of them took", () => {
  const found = examine({ ...answered(), arrivedAt: NOON + 25 });

  assert.deepEqual(states(found), ["passed", "passed", "passed", "passed"]);
  assert.deepEqual(STATIONS.map((name) => found.stations[name].tookMs), [10, 5, 3, 7]);
  assert.equal(found.verdict, "All is well: 25 ms from this browser and back.");
  assert.equal(found.isDone, true);
});

test("a server's clock that is wrong changes nothing", () => {
  const found = examine({ ...answered({ aheadMs: 3_600_000 }), arrivedAt: NOON + 25 });

  assert.deepEqual(found, examine({ ...answered(), arrivedAt: NOON + 25 }));
});

test("what is not answered yet is on its way at every station", () => {
  const found = examine({ sentAt: NOON, isOver: false });

  assert.deepEqual(states(found), ["waiting", "waiting", "waiting", "waiting"]);
  assert.deepEqual([found.verdict, found.isDone], ["On its way…", false]);
});

test("an event that does not arrive is waited for, and then it has stopped here", () => {
  const [waiting, over] = [answered(), { ...answered(), isOver: true }].map(examine);

  assert.deepEqual(states(waiting), ["passed", "passed", "passed", "waiting"]);
  assert.equal(waiting.isDone, false);
  assert.deepEqual(states(over), ["passed", "passed", "passed", "failed"]);
  assert.match(over.verdict, /did not arrive here/);
});

test("a doorbell that was not heard is said though the event has arrived", () => {
  const found = examine({ ...answered({ rungAt: null }), arrivedAt: NOON + 900 });

  assert.deepEqual(states(found), ["passed", "passed", "failed", "passed"]);
  assert.match(found.verdict, /doorbell was not heard/);
  assert.equal(found.isDone, true);
});

test("an event that was not stored goes no further", () => {
  const found = examine(answered({ storedAt: null, rungAt: null }));

  assert.deepEqual(states(found), ["passed", "failed", "unknown", "unknown"]);
  assert.equal(found.isDone, true);
});

test("a refusal says why, and a server in trouble is told from one that is away", () => {
  const said = (status) => examine({ sentAt: NOON, status, isOver: false });

  assert.match(said(0).verdict, /cannot be reached/);
  assert.match(said(403).verdict, /may not record/);
  assert.match(said(429).verdict, /too many/);
  assert.deepEqual(states(said(0)), ["failed", "unknown", "unknown", "unknown"]);
  assert.deepEqual(states(said(503)), ["passed", "failed", "unknown", "unknown"]);
});
