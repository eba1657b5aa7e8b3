// What a run's graph looks like after an event, as pure functions, and where its nodes lie.

import dagre from "../vendor/dagre/dagre.esm.js";

const GAP_BETWEEN_LAYERS = 56;
const GAP_WITHIN_LAYER = 16;
const MARGIN = 12;

export const WORDS = {
  pending: "Pending",
  queued: "Queued",
  running: "Running",
  waiting: "Waiting",
  completed: "Done",
  failed: "Failed",
  skipped: "Skipped",
  cancelled: "Cancelled",
};

/** Nodes by id: {state, words}. Items of a map say how many of them are done, and change no state. */
export function reduceNodes(nodes, frame) {
  const node = frame.node;
  if (frame.type !== "workflow.node_state.updated" || node.item !== null) return nodes;
  const words = node.dueAt ? "Trying again" : WORDS[node.state];
  return { ...nodes, [node.id]: { state: node.state, words } };
}

/** The one thing worth being read out, if the frame tells it. */
export function announcement(frame) {
  if (frame.node?.state === "waiting") return `${frame.node.title} waits for you`;
  if (frame.node?.state === "failed") return `${frame.node.title} has failed`;
  const status = frame.workflow?.status;
  return ["completed", "failed", "cancelled"].includes(status) ? `The run has ${ENDINGS[status]}` : "";
}

const ENDINGS = { completed: "been completed", failed: "failed", cancelled: "been cancelled" };

/**
 * Where nodes [{id, needs, width, height}] lie, and the lines between them:
 * {width, height, places: {id: {x, y}}, lines: [{from, to, points}]}.
 */
export function layOut(nodes, { isTall }) {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({
    rankdir: isTall ? "TB" : "LR",
    ranksep: GAP_BETWEEN_LAYERS,
    nodesep: GAP_WITHIN_LAYER,
    marginx: MARGIN,
    marginy: MARGIN,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const { id, needs } of nodes) for (const need of needs) graph.setEdge(need, id);
  dagre.layout(graph);
  const places = {};
  for (const { id, width, height } of nodes) {
    const { x, y } = graph.node(id);
    places[id] = { x: x - width / 2, y: y - height / 2 };
  }
  const lines = graph.edges().map((edge) => ({ from: edge.v, to: edge.w, points: graph.edge(edge).points }));
  const { width, height } = graph.graph();
  return { width, height, places, lines };
}

/** A smooth line through points, for the `d` of a path. */
export function pathThrough(points) {
  const [first, ...rest] = points;
  let path = `M${first.x},${first.y}`;
  rest.forEach((point, place) => {
    const next = rest[place + 1];
    const end = next ? { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 } : point;
    path += ` Q${point.x},${point.y} ${end.x},${end.y}`;
  });
  return path;
}
