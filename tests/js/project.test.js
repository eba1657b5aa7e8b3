import assert from "node:assert/strict";
import { test } from "node:test";

import { placeOf, reducePreview, reduceProgress, reduceQuality } from "../../static/js/project.js";

const preview = (seq, sectionId, updates, { complete = false, runId = "r" } = {}) => ({
  seq,
  type: "preview.section.updated",
  section: { sectionId, runId, updates, complete },
});

test("what is new of a section is put over what was known of it", () => {
  const before = { seq: 1, run: "r", sections: [{ id: "hero", headline: "Br", complete: false }] };
  const after = [
    preview(1, "hero", { headline: "stale" }),
    preview(2, "hero", { headline: "Bread" }),
    preview(3, "about", { title: "About", kind: "about" }),
    preview(4, "hero", { cta: "Order" }, { complete: true }),
  ].reduce(reducePreview, before);

  assert.deepEqual(after.sections, [
    { id: "hero", headline: "Bread", cta: "Order", complete: true },
    { id: "about", title: "About", kind: "about", complete: false },
  ]);
  assert.equal(after.seq, 4);
});

test("what is no text is shown as it is written down, and nothing takes another's place", () => {
  const before = { seq: 0, run: "r", sections: [{ id: "hero", complete: false }] };
  const after = reducePreview(before, preview(1, "hero", { body: { a: [1] }, id: "x", cta: null }));

  assert.deepEqual(after.sections, [{ id: "hero", body: '{"a":[1]}', cta: "", complete: false }]);
});

test("another run begins another page", () => {
  const before = { seq: 1, run: "r", sections: [{ id: "hero", headline: "Bread" }] };
  const after = reducePreview(before, preview(2, "hero", { title: "Hero" }, { runId: "s" }));

  assert.deepEqual(after.sections, [{ id: "hero", title: "Hero", kind: "other", complete: false }]);
});

test("scores take the place of earlier ones, and the whole page comes first", () => {
  const quality = (seq, sectionId, total) => ({
    seq,
    type: "quality.updated",
    quality: { runId: "r", sectionId, total, scores: [] },
  });
  const after = [quality(2, "hero", 50), quality(3, null, 60), quality(4, "hero", 70)].reduce(
    reduceQuality,
    { seq: 1, run: "r", verdicts: [] },
  );

  assert.deepEqual(
    after.verdicts.map(({ sectionId, total }) => [sectionId, total]),
    [[null, 60], ["hero", 70]],
  );
});

test("an agent is as far as was told last, and so is the whole", () => {
  const progress = (seq, told) => ({ seq, type: "agent.progress", progress: told });
  const after = [
    progress(2, { agentId: "ada", percentage: 10, overall: 10, estimatedCompletion: "soon" }),
    progress(3, { agentId: "bob", percentage: 50 }),
    progress(3, { agentId: "bob", percentage: 1 }),
    { seq: 4, type: "agent.step.updated" },
  ].reduce(reduceProgress, { seq: 1, agents: [{ agentId: "bob" }], overall: 0, completion: null });

  assert.deepEqual(after.agents.map(({ agentId, percentage }) => [agentId, percentage]), [
    ["bob", 50],
    ["ada", 10],
  ]);
  assert.deepEqual([after.overall, after.completion, after.seq], [10, "soon", 3]);
});

test("a part that was written before anything happened begins at the beginning", () => {
  assert.equal(placeOf("0"), 0);
  assert.equal(placeOf("1795259320662_0007_5b0a95b8"), 7);
});
