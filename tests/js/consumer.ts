// How a program in TypeScript uses the package: this is compiled, strictly, and never run.

import {
  activityOf,
  ANSWER_TYPES,
  Cursor,
  emptyAnswer,
  isFinished,
  openSocket,
  openSource,
  reduceAnswer,
  seqOf,
  START,
  type Answer,
  type Frame,
  type StreamState,
} from "agentpipe-stream";
import { hooksOf, type HooksOfReact } from "agentpipe-stream/react";

declare const React: HooksOfReact;

const {
  useRealtimeEvents,
  useStreamingMessage,
  useIngestStream,
  useAgentProgress,
  useSSEProgress,
  useStream,
} = hooksOf(React, {
  base: "https://agents.example.com",
  fetch: (...wanted) => fetch(...wanted),
});

export function useAll(conversationId: string): string {
  const live = useRealtimeEvents({
    conversationId,
    reconnectInterval: 1000,
    onEvent: ({ type, timestamp }) => console.log(type.length + timestamp.length),
    onError: ({ message }) => console.error(message),
  });
  const answer = useStreamingMessage("chat", "How high?", { source: "web" });
  const events = useIngestStream("default", "job");
  live.clearEvents();
  const [first] = answer.plan;
  const tools = answer.toolCalls.map(({ name, duration }) => `${name} ${duration ?? 0}`);
  const done: number = events.reduce((sum, { job }) => sum + (job?.processed ?? 0), 0);
  return [first?.text, ...tools, live.error?.message, answer.messageId, done].join();
}

export function useProgress(projectId: string): string {
  const { progress, connected, subscription } = useAgentProgress(projectId);
  const { events } = useSSEProgress(projectId);
  const { data, loading, error } = useStream<{ sectionId: string }>("/api/any/stream");
  const shown = Object.values(progress).map((one) => one.lastUpdated.toISOString() + one.status);
  const ended = events.filter(({ complete }) => complete).map(({ agentId }) => agentId);
  const said = loading ? "" : (data?.sectionId ?? error?.message);
  return [...shown, ...ended, connected, subscription.phase, said].join();
}

let answer: Answer = emptyAnswer;
const tell = ({ phase, retryAt, reason }: StreamState) => console.log(phase, retryAt, reason);
const socket = openSocket({ url: "wss://agents.example.com/api/stream", onState: tell });
const take = (frame: Frame): void => {
  answer = reduceAnswer(answer, frame);
  if (isFinished(answer)) console.log(answer.content, activityOf(answer), seqOf(frame.id));
};
const leave: () => void = socket.subscribe("message:1", { since: START, agentIds: ["a"] }, take);
const source = openSource({ urlOf: (stream, since) => `/${stream}?since=${since ?? START}` });
source.subscribe("message:1", { types: [...ANSWER_TYPES], onState: tell }, take);
leave();
source.close();
console.log(socket.state.phase, new Cursor("0").since);

// @ts-expect-error: there is no such phase
export const noPhase: StreamState = { phase: "dead" };
// @ts-expect-error: an answer is not changed in place
answer.plan.push({ id: "1", text: "Measure", status: "pending" });
// @ts-expect-error: ids are strings
useIngestStream(1, 2);
// @ts-expect-error: nobody can be asked without words
useStreamingMessage("chat");
