import assert from "node:assert/strict";
import { test } from "node:test";

import { hueOf } from "../../static/js/hue.js";
import { sharesOf, stacked } from "../../static/js/stack.js";

const summary = {
  byDay: [
    { cost: 0.3, totalTokens: 30 },
    { cost: 1, totalTokens: 10 },
  ],
  agentTypesOverTime: [
    { agentType: "claude", cost: [0.1, 0.5], totalTokens: [10, 5] },
    { agentType: "", cost: [0.2, 0], totalTokens: [20, 0] },
  ],
  modelsOverTime: [{ model: null, cost: [0.3, 1], totalTokens: [30, 10] }],
};
const both = ["cost", "totalTokens"];

test("what nobody else is named for is told last, together", () => {
  const shares = sharesOf(summary, "agent", both);

  assert.deepEqual(shares.map(({ name }) => name), ["claude", "Not told", "Others"]);
  assert.deepEqual(shares.at(-1).amounts, { cost: [0, 0.5], totalTokens: [0, 5] });
});

test("where all are named there are no others, whatever sums of fractions leave", () => {
  const [only, ...others] = sharesOf(summary, "model", both);

  assert.deepEqual([only.name, only.amounts.cost, others], ["Not told", [0.3, 1], []]);
});

test("each has its colour, and no two have the same", () => {
  const names = ["claude", "claude-2", ...Array.from({ length: 12 }, (_, number) => `agent ${number}`)];
  const none = { cost: [0, 0], totalTokens: [0, 0] };
  const agentTypesOverTime = names.map((agentType) => ({ agentType, ...none }));
  const shares = sharesOf({ ...summary, agentTypesOverTime }, "agent", both).slice(0, names.length);
  const hues = shares.map(({ hue }) => hue);

  assert.equal(hues[0], hueOf("claude"));
  assert.equal(new Set(hues).size, names.length);
});

test("parts of a bar stand on each other", () => {
  assert.deepEqual(stacked([[1, 0], [2, 3], [0, 4]]), [[1, 0], [3, 3], [3, 7]]);
  assert.deepEqual(stacked([]), []);
});
