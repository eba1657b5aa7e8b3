import assert from "node:assert/strict";
import test from "node:test";

import { dollars, lasted, thousands } from "../../static/js/figures.js";

// The server is asked for the same words in tests/conversations/test_figures.py.
test("durations are told in the two units that matter", () => {
  assert.equal(lasted(999), "999 ms");
  assert.equal(lasted(3299), "3.2 s");
  assert.equal(lasted(59_999), "59.9 s");
  assert.equal(lasted(125_000), "2 min 5 s");
  assert.equal(lasted(7_500_000), "2 h 5 min");
  assert.equal(lasted(86_400_000 * 1200 + 7_200_000), "1,200 d 2 h");
});

test("amounts have separators, and parts of a cent where there are no dollars", () => {
  assert.equal(thousands(1234567), "1,234,567");
  assert.equal(dollars(1234.5), "$1,234.50");
  assert.equal(dollars(0.0042), "$0.0042");
  assert.equal(dollars(0.00004), "<$0.0001");
});

test("where there is no figure there is a dash", () => {
  assert.equal(dollars(0), "—");
  assert.equal(lasted(0), "—");
  assert.equal(lasted(null), "—");
});
