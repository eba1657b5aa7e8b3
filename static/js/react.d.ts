import type { PlanItem, StreamState, ToolCall } from "./stream/index.js";

export interface RealtimeEvent {
  type: string;
  timestamp: string;
  data: any;
}

export interface UseRealtimeEventsOptions {
  conversationId?: string;
  autoReconnect?: boolean;
  /** The longest of the first pauses, in milliseconds; each is random, and later ones are longer. */
  reconnectInterval?: number;
  onEvent?: (event: RealtimeEvent) => void;
  onError?: (error: Error) => void;
}

export interface UseRealtimeEventsResult {
  /** The last 10,000. */
  events: RealtimeEvent[];
  isConnected: boolean;
  error: Error | null;
  connect: () => void;
  disconnect: () => void;
  clearEvents: () => void;
}

export interface UseStreamingMessageResult {
  messageId: string | null;
  isStreaming: boolean;
  plan: readonly PlanItem[];
  toolCalls: readonly ToolCall[];
  rationale: string;
  content: string;
  status: string;
  error: string | null;
}

/** An import, as far as it has come. */
export interface IngestJob {
  id: string;
  project_id: string;
  file_name: string;
  size: number;
  kind: string;
  status: "queued" | "running" | "completed" | "failed" | "cancelled";
  /** Not known while it has not been read to its end. */
  total: number | null;
  processed: number;
  new: number;
  known: number;
  repaired: number;
  failed: number;
  percentage: number;
  errors: { line: number; error: string }[];
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
}

export interface IngestJobEvent {
  id: string;
  seq: number;
  type: string;
  timestamp: string;
  /** None where the stream says that events are gone. */
  job?: IngestJob;
}

/** How far an agent is. */
export interface ProgressEvent {
  agentId: string;
  runId: string | null;
  status: string;
  percentage: number;
  /** The same. */
  progress: number;
  currentStep: number;
  totalSteps: number;
  /** In seconds, as of `lastUpdated`. */
  estimatedTimeRemaining: number | null;
  tokensUsed: number;
  cost: number;
  content: string | null;
  reasoning: string | null;
  confidence: number | null;
  lastUpdated: string;
  /** Of the whole project, where it is known with it, and why it has gone back if it has. */
  overall?: number;
  estimatedCompletion?: string | null;
  reason?: "agent_joined" | "agent_restarted" | "plan_grew" | "agent_went_back" | null;
  /** The agent has completed what it did. */
  complete?: true;
}

export interface AgentProgress {
  agentId: string;
  status: string;
  progress: number;
  percentage: number;
  currentStep: number;
  totalSteps: number;
  estimatedTimeRemaining: number | null;
  tokensUsed: number;
  cost: number;
  content?: string;
  reasoning?: string;
  confidence?: number;
  lastUpdated: Date;
}

export interface UseAgentProgressResult {
  /** By the agents' ids. */
  progress: Record<string, AgentProgress>;
  connected: boolean;
  subscription: StreamState;
}

export interface UseSSEProgressResult {
  /** The last 10,000. */
  events: ProgressEvent[];
  connected: boolean;
}

export interface UseStreamResult<T> {
  /** What was sent last; of what comes together, each is shown once. */
  data: T | null;
  /** Nothing has come yet. */
  loading: boolean;
  error: Error | null;
}

export interface Hooks {
  useRealtimeEvents(options?: UseRealtimeEventsOptions): UseRealtimeEventsResult;
  useStreamingMessage(
    chatId: string,
    userMessage: string,
    metadata?: Record<string, any>,
  ): UseStreamingMessageResult;
  useIngestStream(projectId: string, jobId: string): IngestJobEvent[];
  useAgentProgress(projectId: string): UseAgentProgressResult;
  useSSEProgress(projectId: string): UseSSEProgressResult;
  useStream<T = any>(url: string): UseStreamResult<T>;
}

/** What of React the hooks stand on. */
export interface HooksOfReact {
  useCallback: (...given: any[]) => any;
  useEffect: (...given: any[]) => void;
  useReducer: (...given: any[]) => any;
  useRef: (...given: any[]) => any;
  useState: (...given: any[]) => any;
}

/** The hooks, for the React that is passed in. */
export function hooksOf(React: HooksOfReact, options?: { base?: string; fetch?: typeof fetch }): Hooks;
