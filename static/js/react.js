// Hooks for React, which is passed in:
//
//   const { useRealtimeEvents, useStreamingMessage, useIngestStream } = hooksOf(React);
//
// Thin over stream/: they resume, try again and tell nothing twice. Callbacks and objects may be new
// at each render; a connection is opened anew only where what it follows has changed.

import { emptyAnswer, reduceAnswer } from "./stream/answer.js";
import { Retry } from "./stream/resume.js";
import { openSocket } from "./stream/socket.js";
import { openSource } from "./stream/source.js";

const MOST_EVENTS = 10_000;

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
      const url = new URL("/api/stream", base);
      url.protocol = url.protocol.replace("http", "ws");
      const socket = openSocket({ url: url.href });
      // From its beginning: a job may be over before anybody looks.
      const from = { since: "0", types: ["ingest.*"] };
      const take = (event) => setEvents((before) => [...before, event].slice(-MOST_EVENTS));
      socket.subscribe(`ingest:${projectId}/${jobId}`, from, take);
      return () => socket.close();
    }, [projectId, jobId]);

    return events;
  }

  return { useRealtimeEvents, useStreamingMessage, useIngestStream };
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
