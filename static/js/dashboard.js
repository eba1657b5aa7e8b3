// What frames make of the lists of a dashboard. Pure: a list and a frame in, the next list out.

export const MOST_SHOWN = 6;

const GOING = new Set(["queued", "running"]);
const NO_LONGER_ACTIVE = new Set([
  "conversation.completed",
  "conversation.interrupted",
  "conversation.deleted",
]);

/** Runs at work first, and then those that have ended, the newest first. */
export function reduceRuns(runs, { type, run, progress }) {
  if (type.startsWith("agent.run.") && run) return withOne(runs, run);
  if (type !== "agent.progress" || !progress) return runs;
  const { runId, percentage, tokensUsed, cost } = progress;
  const isShown = runs.some(({ id }) => id === runId);
  return isShown ? withOne(runs, { id: runId, percentage, totalTokens: tokensUsed, cost }) : runs;
}

export function reduceJobs(jobs, { type, job }) {
  return type.startsWith("ingest.job.") && job ? withOne(jobs, job) : jobs;
}

/** Active conversations; what a message has added to one of them is asked of the server. */
export function reduceActive(conversations, { type, data }) {
  if (NO_LONGER_ACTIVE.has(type)) {
    return conversations.filter(({ id }) => id !== data?.conversationId);
  }
  const isOpened = type === "conversation.started" && data?.conversation?.status === "ACTIVE";
  return isOpened ? withOne(conversations, data.conversation) : conversations;
}

function withOne(things, thing) {
  const known = things.find(({ id }) => id === thing.id);
  const next = known
    ? things.map((one) => (one === known ? { ...known, ...thing } : one))
    : [thing, ...things];
  const [going, others] = [next.filter(isGoing), next.filter((one) => !isGoing(one))];
  return [...going, ...others].slice(0, MOST_SHOWN);
}

function isGoing({ status }) {
  return GOING.has(status);
}
