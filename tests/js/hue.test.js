import assert from "node:assert/strict";
import { test } from "node:test";

import { hueOf } from "../../static/js/hue.js";

test("an agent has the same colour as on the server", () => {
  // The same list is in tests/conversations/test_hues.py.
  const agents = ["", "claude", "Ada", "é😀", "gpt-5", "gemini-1.5", "a-1", "b-2"];

  assert.deepEqual(agents.map(hueOf), [21, 4, 7, 7, 2, 23, 13, 15]);
});
