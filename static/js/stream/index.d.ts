/** A frame of a stream. Families of events carry their content under a key of their own. */
export interface Frame {
  id: string;
  seq: number;
  type: string;
  stream: string;
  timestamp?: string;
  data?: any;
  [key: string]: any;
}

export interface StreamState {
  phase: "connecting" | "live" | "waiting" | "stopped";
  /** In milliseconds since the epoch, while waiting. */
  retryAt?: number;
  /** Why it has stopped. */
  reason?: string;
}

export interface SubscribeOptions {
  /** The id of the last event that is known; "0" for everything, none for what is new. */
  since?: string | null;
  types?: string[];
  agentIds?: string[];
  onState?: (state: StreamState) => void;
}

export interface Streams {
  /** Follow a stream; the answer is a function that leaves it. */
  subscribe(stream: string, options: SubscribeOptions, onFrame: (frame: Frame) => void): () => void;
  close(): void;
}

export interface RetryOptions {
  /** Called when the network or the reader is back and nothing waits to be tried. */
  nudged: () => void;
  places?: [EventTarget, string][];
  random?: () => number;
  firstDelayMs?: number;
}

/** When to try again: growing pauses with full jitter. */
export class Retry {
  constructor(options: RetryOptions);
  later(again: () => void, options?: { atLeastMs?: number }): number;
  succeeded(): void;
  cancel(): void;
  close(): void;
}

export interface SocketOptions {
  url?: string;
  WebSocketClass?: typeof WebSocket;
  onState?: (state: StreamState) => void;
  retry?: (nudged: () => void) => Retry;
}

export interface SourceOptions {
  urlOf?: (stream: string, since: string | null) => string;
  EventSourceClass?: typeof EventSource;
  fetch?: typeof fetch;
  onState?: (state: StreamState) => void;
  retry?: (nudged: () => void) => Retry;
}

/** Many streams on one socket, `WS /api/stream`. */
export function openSocket(options?: SocketOptions): Streams & { readonly state: StreamState };

export interface Sources extends Streams {
  /** Beside each frame comes what was sent, as it was. */
  subscribe(
    stream: string,
    options: SubscribeOptions,
    onFrame: (frame: Frame, sent: any) => void,
  ): () => void;
}

/** Server-sent events, one connection a stream. */
export function openSource(options?: SourceOptions): Sources;

/** How far one stream has been read. */
export class Cursor {
  constructor(since?: string | null);
  readonly since: string | null;
  takes(frame: { id: string; seq?: number }): boolean;
  startAt(lastEventId: string | null): void;
  restartAt(oldestId: string | null): void;
}

/** "From the beginning", as a cursor. */
export const START: "0";

/** The number inside an event id, or null where it is none. */
export function seqOf(id: string | null | undefined): number | null;

export interface PlanItem {
  id: string;
  text: string;
  status: "pending" | "in_progress" | "completed";
}

export interface ToolCall {
  id: string;
  name: string;
  status: "running" | "completed" | "error";
  /** In milliseconds since the epoch. */
  startTime: number;
  endTime?: number;
  duration?: number;
  result?: string;
  args?: string;
}

/** An answer as its steps tell it. */
export interface Answer {
  seq: number;
  phase: "pending" | "processing" | "completed" | "error" | "cancelled";
  /** The last that was said of it, in words. */
  status: string;
  activity: string;
  isStreaming: boolean;
  plan: readonly PlanItem[];
  toolCalls: readonly ToolCall[];
  thoughts: readonly string[];
  /** The thoughts as one text. */
  rationale: string;
  /** Markdown. */
  content: string;
  /** How often what was held of the content has been dropped. */
  restarts: number;
  /** The server no longer holds what it began with. */
  isPartial: boolean;
  runId: string | null;
  startedAt: number | null;
  error: string | null;
  ms: number | null;
  toolCount: number;
  usage: Record<string, any> | null;
}

/** The names of its steps. */
export const ANSWER_TYPES: readonly string[];
export const emptyAnswer: Readonly<Answer>;

/** The answer, after one more step of `message:ID` or `run:ID`. */
export function reduceAnswer(state: Answer, step: Record<string, any>): Answer;
export function isFinished(state: Answer): boolean;

/** What it is about, in words. */
export function activityOf(state: Answer): string;
