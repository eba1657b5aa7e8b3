import assert from "node:assert/strict";
import { test } from "node:test";

import { durationWords, elapsedWords, spentWords, workWords } from "../../static/js/elements/answer-words.js";

// The server has the same table, in tests/agents/test_exchanges.py.
test("what an answer took and cost is said as the server says it", () => {
  const durations = [0, 249, 250, 59_949, 60_000, 125_999].map(durationWords);
  assert.deepEqual(durations, ["0.0 s", "0.2 s", "0.3 s", "59.9 s", "1 min 0 s", "2 min 5 s"]);

  assert.equal(workWords({ ms: 1200, toolCount: 0 }), "Worked for 1.2 s");
  assert.equal(workWords({ ms: 1200, toolCount: 1 }), "Worked for 1.2 s · 1 tool");
  assert.equal(workWords({ ms: 1200, toolCount: 2 }), "Worked for 1.2 s · 2 tools");

  const spent = (total_tokens, cost, is_estimated = false) => spentWords({ total_tokens, cost, is_estimated });
  assert.equal(spent(0, 0), "");
  assert.equal(spent(1, 0), "1 token");
  assert.equal(spent(1234567, 0.0021), "1,234,567 tokens · $0.0021");
  assert.equal(spent(0, 1.5, true), "$1.5000 (estimate)");
  assert.equal(spent(5, 0.00003), "5 tokens · under $0.0001");
});

test("a clock that runs counts whole seconds", () => {
  assert.deepEqual([0, 999, 59_999, 61_000].map(elapsedWords), ["0 s", "0 s", "59 s", "1 min 1 s"]);
});
