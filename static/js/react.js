// Hooks for React, which is passed in:
//
//   const { useRealtimeEvents, useStreamingMessage, useIngestStream, useAgentProgress,
//           useSSEProgress, useStream } = hooksOf(React);
//
// Thin over stream/: they resume, try again and tell nothing twice. Callbacks and objects may be new
// at each render; a connection is opened anew only where what it follows has changed.

import { ANSWER_TYPES, emptyAnswer, reduceAnswer } from "./stream/answer.js";
import { Retry } from "./stream/resume.js";
import { openSocket } from "./stream/socket.js";
import { openSource } from "./stream/source.js";

const MOST_EVENTS = 10_000;
const PROGRESS_NAMES = ["agent:progress", "agent:complete"];
// An EventSource hears of those that it has been told of by name, and of no others.
const NAMES = [
  ...PROGRESS_NAMES,
  ...ANSWER_TYPES,
  ...["created", "updated", "completed", "failed"].map((what) => `agent.run.${what}`),
  ...["agent.step.updated", "agent.message.appended"],
];

/** For pages of another origin: `base` is the server's, and `fetch` one that says who asks. */
export function hooksOf(React, { base = globalThis.location?.origin, fetch = ownFetch } = {}) {
  const { useCallback, useEffect, useReducer, useRef, useState } = React;

  function useRealtimeEvents({
    conversationId,
    autoReconnect = true,
    reconnectInterval = 3000,
    onEvent,
    onError,
  } = {}) {
    const [events, setEvents] = useState([]);
    const [isConnected, setIsConnected] = useState(false);
    const [error, setError] = useState(null);
    const told = useRef({});
    told.current = { onEvent, onError };
    const source = useRef(null);

    const disconnect = useCallback(() => {
      source.current?.close();
      source.current = null;
      setIsConnected(false);
    }, []);

    const connect = useCallback(() => {
      disconnect();
      const urlOf = (_, since) => addressOf(base, "/api/realtime/stream", { conversationId, since });
      const retry = (nudged) => new Retry({ nudged, firstDelayMs: reconnectInterval });
      const onState = ({ phase, reason }) => {
        setIsConnected(phase === "live");
        if (phase === "live") setError(null);
        if (phase !== "waiting" && phase !== "stopped") return;
        const failure = new Error(reason ?? "EventSource connection error");
        setError(failure);
        told.current.onError?.(failure);
        if (!autoReconnect) disconnect();
      };
      const take = ({ type, timestamp, data }) => {
        const event = { type, timestamp, data };
        setEvents((before) => [...before, event].slice(-MOST_EVENTS));
        told.current.onEvent?.(event);
      };
      source.current = openSource({ urlOf, retry });
      source.current.subscribe("events", { onState }, take);
    }, [conversationId, autoReconnect, reconnectInterval, disconnect]);

    const clearEvents = useCallback(() => setEvents([]), []);

    useEffect(() => {
      connect();
      return disconnect;
    }, [connect, disconnect]);

    return { events, isConnected, error, connect, disconnect, clearEvents };
  }

  function useStreamingMessage(chatId, userMessage, metadata = {}) {
    const [messageId, setMessageId] = useState(null);
    const [answer, tell] = useReducer(tellMore, emptyAnswer);
    const details = JSON.stringify(metadata);

    useEffect(() => {
      let source = null;
      let isMounted = true;
      tell({ change: emptyAnswer });
      setMessageId(null);

      async function ask() {
        // Development mounts everything twice, at once: the first of the two has gone by now.
        await null;
        if (!isMounted) return;
        const asked = await post(`${base}/api/chats/${encodeURIComponent(chatId)}/messages`, details);
        if (!isMounted) return;
        setMessageId(asked.message_id);
        tell({ change: { isStreaming: true } });
        const urlOf = (_, since) => addressOf(base, asked.stream_url, { since, unnamed: 1 });
        const onState = ({ phase, reason }) => {
          if (phase === "stopped" && reason !== "ended") fail("Stream connection lost");
        };
        const take = (frame) => {
          tell({ frame });
          if (frame.type === "end") source.close();
        };
        source = openSource({ urlOf, fetch });
        source.subscribe("answer", { onState }, take);
      }

      async function post(url, written) {
        const body = JSON.stringify({ content: userMessage, metadata: JSON.parse(written) });
        const headers = { "Content-Type": "application/json" };
        const response = await fetch(url, { method: "POST", headers, body });
        if (!response.ok) throw new Error("Failed to create message");
        return response.json();
      }

      function fail(error) {
        if (isMounted) tell({ change: { isStreaming: false, error } });
      }

      ask().catch(({ message }) => fail(message));
      return () => {
        isMounted = false;
        source?.close();
      };
    }, [chatId, userMessage, details]);

    const { isStreaming, plan, toolCalls, rationale, content, status, error } = answer;
    return { messageId, isStreaming, plan, toolCalls, rationale, content, status, error };
  }

  function useIngestStream(projectId, jobId) {
    const [events, setEvents] = useState([]);

    useEffect(() => {
      setEvents([]);
      const socket = openSocket({ url: socketOf(base) });
      // From its beginning: a job may be over before anybody looks.
      const from = { since: "0", types: ["ingest.*"] };
      const take = (event) => setEvents((before) => [...before, event].slice(-MOST_EVENTS));
      socket.subscribe(`ingest:${projectId}/${jobId}`, from, take);
      return () => socket.close();
    }, [projectId, jobId]);

    return events;
  }

  function useAgentProgress(projectId) {
    const [progress, tell] = useReducer(progressWith, {});
    const [subscription, setSubscription] = useState({ phase: "connecting" });

    useEffect(() => {
      let isMounted = true;
      let hasAsked = false;
      tell({ isReset: true });
      const socket = openSocket({ url: socketOf(base) });
      const types = ["agent.progress", "agent.complete"];
      const onState = (state) => {
        setSubscription(state);
        if (state.phase === "live" && !hasAsked) askWhereTheyAre().catch(() => (hasAsked = false));
      };

      // Once the stream is open, so that nothing falls in between.
      async function askWhereTheyAre() {
        hasAsked = true;
        const path = `/api/projects/${encodeURIComponent(projectId)}/progress`;
        const answer = await fetch(addressOf(base, path, {}), {});
        const known = answer.ok ? await answer.json() : { agents: [] };
        if (isMounted) tell({ known: known.agents });
      }

      const take = ({ progress: told }) => tell({ told });
      socket.subscribe(`project:${projectId}`, { types, onState }, take);
      return () => {
        isMounted = false;
        socket.close();
      };
    }, [projectId]);

    return { progress, connected: subscription.phase === "live", subscription };
  }

  function useSSEProgress(projectId) {
    const [events, setEvents] = useState([]);
    const [connected, setConnected] = useState(false);

    useEffect(() => {
      setEvents([]);
      const urlOf = (_, since) => addressOf(base, "/api/sse/agent-stream", { projectId, since });
      const source = openSource({ urlOf, fetch });
      const onState = ({ phase }) => setConnected(phase === "live");
      const take = ({ type }, sent) => {
        if (!PROGRESS_NAMES.includes(type)) return;
        const event = type === "agent:complete" ? { ...sent, complete: true } : sent;
        setEvents((before) => [...before, event].slice(-MOST_EVENTS));
      };
      source.subscribe(`agents:${projectId}`, { types: PROGRESS_NAMES, onState }, take);
      return () => source.close();
    }, [projectId]);

    return { events, connected };
  }

  function useStream(url) {
    const [heard, hear] = useReducer(heardWith, nothingHeard);

    useEffect(() => {
      hear({ isReset: true });
      const urlOf = (_, since) => addressOf(base, url, { since });
      const source = openSource({ urlOf, fetch });
      const onState = ({ phase, reason }) => {
        if (phase === "waiting") hear({ error: new Error("Stream connection lost") });
        if (phase === "stopped" && reason !== "ended") hear({ error: new Error(reason) });
        if (phase === "live") hear({ error: null });
      };
      source.subscribe(url, { types: NAMES, onState }, (_, sent) => hear({ sent }));
      return () => source.close();
    }, [url]);

    // One after the other: React shows the last of several that come together, and effects that
    // put pieces together would miss the others.
    useEffect(() => {
      if (heard.queue.length > 1) hear({ isShown: true });
    }, [heard.queue]);

    const data = heard.queue[0] ?? null;
    return { data, loading: data === null && heard.error === null, error: heard.error };
  }

  return {
    useRealtimeEvents,
    useStreamingMessage,
    useIngestStream,
    useAgentProgress,
    useSSEProgress,
    useStream,
  };
}

function progressWith(progress, { isReset, known = [], told }) {
  if (isReset) return {};
  const first = known.filter(({ agentId }) => !(agentId in progress)).map(progressOf);
  const next = { ...progress, ...Object.fromEntries(first.map((one) => [one.agentId, one])) };
  if (!told) return next;
  const before = progress[told.agentId];
  // What is new comes piece by piece; until more of it does, the last is shown.
  const { content, reasoning, confidence } = { ...before, ...withoutNulls(told) };
  return { ...next, [told.agentId]: { ...progressOf(told), content, reasoning, confidence } };
}

function progressOf(told) {
  return { ...told, progress: told.percentage, lastUpdated: new Date(told.lastUpdated) };
}

function withoutNulls(told) {
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== null));
}

const nothingHeard = Object.freeze({ queue: [], error: null });

function heardWith(heard, { isReset, isShown, sent, error }) {
  if (isReset) return nothingHeard;
  if (isShown) return { ...heard, queue: heard.queue.slice(1) };
  if (error !== undefined) return { ...heard, error };
  // The one that has been shown makes room for the next.
  return { queue: [...heard.queue, sent], error: null };
}

function socketOf(base) {
  const url = new URL("/api/stream", base);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

function tellMore(answer, { frame, change }) {
  return frame ? reduceAnswer(answer, frame) : { ...answer, ...change };
}

function addressOf(base, path, parameters) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null) url.searchParams.set(name, value);
  }
  return url.href;
}

/** Whoever is signed in by cookie has to show that a page of ours asks. */
function ownFetch(url, { headers, ...options }) {
  const token = /(?:^|; )csrftoken=([^;]+)/.exec(globalThis.document?.cookie ?? "")?.[1];
  const proof = token && new URL(url).origin === location.origin ? { "X-CSRFToken": token } : {};
  return globalThis.fetch(url, { headers: { ...headers, ...proof }, ...options });
}
