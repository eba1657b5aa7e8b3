import type { PlanItem, ToolCall } from "./stream/index.js";

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

export interface IngestJobEvent {
  id: string;
  seq: number;
  type: string;
  timestamp: string;
  job: any;
}

export interface Hooks {
  useRealtimeEvents(options?: UseRealtimeEventsOptions): UseRealtimeEventsResult;
  useStreamingMessage(
    chatId: string,
    userMessage: string,
    metadata?: Record<string, any>,
  ): UseStreamingMessageResult;
  useIngestStream(projectId: string, jobId: string): IngestJobEvent[];
}

/** The hooks, for the React that is passed in. */
export function hooksOf(React: any, options?: { base?: string; fetch?: typeof fetch }): Hooks;
