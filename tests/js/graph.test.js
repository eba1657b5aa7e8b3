import assert from "node:assert/strict";
import { test } from "node:test";

import { announcement, layOut, pathThrough, reduceNodes } from "../../static/js/graph.js";

const told = (id, state, rest = {}) => ({
  type: "workflow.node_state.updated",
  node: { id, state, item: null, title: id, dueAt: null, ...rest },
});

test("nodes are as they were told last", () => {
  const nodes = ["running", "completed"].reduce(
    (known, state) => reduceNodes(known, told("draft", state)),
    {},
  );

  assert.deepEqual(nodes, { draft: { state: "completed", words: "Done" } });
});

test("one that failed and is tried again says so", () => {
  const nodes = reduceNodes({}, told("draft", "queued", { dueAt: "2026-11-21T20:00:00Z" }));

  assert.deepEqual(nodes.draft, { state: "queued", words: "Trying again" });
});

test("items of a map and events of other kinds change no node", () => {
  const known = reduceNodes({}, told("each", "running"));

  assert.equal(reduceNodes(known, told("each", "failed", { item: 3 })), known);
  assert.equal(reduceNodes(known, { type: "workflow.run.updated", workflow: {} }), known);
  assert.equal(reduceNodes(known, { type: "stream.truncated" }), known);
});

test("what somebody has to know is read out, and nothing else", () => {
  const run = (status) => ({ type: "workflow.run.updated", workflow: { status } });

  assert.equal(announcement(told("Inspect", "waiting")), "Inspect waits for you");
  assert.equal(announcement(told("Inspect", "failed")), "Inspect has failed");
  assert.equal(announcement(run("completed")), "The run has been completed");
  assert.equal(announcement(run("failed")), "The run has failed");
  assert.equal(announcement(told("Inspect", "running")), "");
  assert.equal(announcement(run("running")), "");
  assert.equal(announcement({ type: "stream.truncated" }), "");
});

const SIZE = { width: 120, height: 60 };
const TOWER = [
  { id: "begin", needs: [], ...SIZE },
  { id: "left", needs: ["begin"], ...SIZE },
  { id: "right", needs: ["begin"], ...SIZE },
  { id: "end", needs: ["left", "right"], ...SIZE },
];

for (const isTall of [false, true]) {
  test(`nodes lie behind what they need, and on no other, ${isTall ? "tall" : "wide"}`, () => {
    const { places, lines, width, height } = layOut(TOWER, { isTall });
    const along = isTall ? "y" : "x";
    const size = isTall ? SIZE.height : SIZE.width;

    for (const { id, needs } of TOWER) {
      for (const need of needs) assert.ok(places[need][along] + size < places[id][along]);
      const { x, y } = places[id];
      assert.ok(x >= 0 && y >= 0 && x + SIZE.width <= width && y + SIZE.height <= height);
    }
    const across = isTall ? "x" : "y";
    assert.ok(Math.abs(places.left[across] - places.right[across]) > (isTall ? SIZE.width : SIZE.height));
    assert.deepEqual(lines.map(({ from, to }) => `${from} ${to}`).sort(), [
      "begin left",
      "begin right",
      "left end",
      "right end",
    ]);
    assert.ok(lines.every(({ points }) => points.length >= 2));
  });
}

test("a line begins and ends where its points do", () => {
  const path = pathThrough([{ x: 0, y: 0 }, { x: 10, y: 20 }, { x: 30, y: 40 }]);

  assert.equal(path, "M0,0 Q10,20 20,30 Q30,40 30,40");
});
