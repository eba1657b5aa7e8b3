import assert from "node:assert/strict";
import test from "node:test";

import {
  LONGEST_PAUSE_MS,
  momentAt,
  shareAt,
  waitBetween,
} from "../../static/js/elements/replay-clock.js";

test("messages come as far apart as they did, and faster when played faster", () => {
  assert.equal(waitBetween(1000, 3000, 1), 2000);
  assert.equal(waitBetween(1000, 3000, 20), 100);
});

test("a long pause is shortened, and the first message is not waited for", () => {
  assert.equal(waitBetween(0, 3_600_000, 1), LONGEST_PAUSE_MS);
  assert.equal(waitBetween(0, 3_600_000, 2), LONGEST_PAUSE_MS / 2);
  assert.equal(waitBetween(null, 3_600_000, 1), 0);
});

test("a message that is older than the one before it comes at once", () => {
  assert.equal(waitBetween(3000, 1000, 1), 0);
});

test("moments and their shares of the whole stand for each other", () => {
  const span = { first: 1000, last: 5000 };
  assert.equal(shareAt(2000, span), 0.25);
  assert.equal(momentAt(0.25, span), 2000);
  assert.equal(shareAt(0, span), 0);
  assert.equal(shareAt(9000, span), 1);
  assert.equal(shareAt(1000, { first: 1000, last: 1000 }), 1);
});
