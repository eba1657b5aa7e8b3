// What frames make of what a project's page shows. Pure: a state and a frame in, the next state out.

import { seqOf } from "./stream/resume.js";

export const PARTS = ["headline", "subheadline", "body", "cta"];

/** How far agents are: {seq, agents: [progress, …], overall, completion}. */
export function reduceProgress(state, frame) {
  if (frame.type !== "agent.progress" && frame.type !== "agent.complete") return state;
  if (frame.seq <= state.seq) return state;
  const told = frame.progress;
  const known = state.agents.some(({ agentId }) => agentId === told.agentId);
  const agents = known
    ? state.agents.map((one) => (one.agentId === told.agentId ? { ...one, ...told } : one))
    : [...state.agents, told];
  const { overall = state.overall, estimatedCompletion = state.completion } = told;
  return { seq: frame.seq, agents, overall, completion: estimatedCompletion };
}

/** A page that is being written: {seq, run, sections: [{id, complete, title, kind, …parts}, …]}. */
export function reducePreview(state, frame) {
  if (frame.type !== "preview.section.updated" || frame.seq <= state.seq) return state;
  const { sectionId: id, runId: run, updates, complete } = frame.section;
  const told = Object.fromEntries(Object.entries(updates).map(([name, said]) => [name, text(said)]));
  // Another page has been begun.
  const earlier = run === state.run ? state.sections : [];
  const known = earlier.some((section) => section.id === id);
  const sections = known
    ? earlier.map((one) => (one.id === id ? { ...one, ...told, id, complete } : one))
    : [...earlier, { title: id, kind: "other", ...told, id, complete }];
  return { seq: frame.seq, run, sections };
}

/** How good it is: {seq, run, verdicts: [{sectionId, total, scores}, …]}, the whole page first. */
export function reduceQuality(state, frame) {
  if (frame.type !== "quality.updated" || frame.seq <= state.seq) return state;
  const { runId: run, ...verdict } = frame.quality;
  const earlier = run === state.run ? state.verdicts : [];
  const known = earlier.some(({ sectionId }) => sectionId === verdict.sectionId);
  const verdicts = known
    ? earlier.map((one) => (one.sectionId === verdict.sectionId ? verdict : one))
    : verdict.sectionId === null ? [verdict, ...earlier] : [...earlier, verdict];
  return { seq: frame.seq, run, verdicts };
}

/** Frameworks outside may put into a part whatever they like. */
function text(said) {
  if (said === null || said === undefined) return "";
  return typeof said === "string" ? said : JSON.stringify(said);
}

/** Behind which number a part of the page goes on. */
export function placeOf(since) {
  return seqOf(since) ?? 0;
}
