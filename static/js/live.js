// What a page follows, over as few sockets as can be, and one place that says how that goes.
//
//   const leave = follow("project:default", { since }, (frame) => ...);
//
// An element calls it in connectedCallback and `leave` in disconnectedCallback. The options are
// those of a socket's subscribe(). Many elements may follow one stream, each from its own place: a
// socket holds a stream once, so the second of them gets another socket.

import { openSocket } from "./stream/socket.js";
import "./elements/connection-state.js";

const WORST_FIRST = ["stopped", "waiting", "connecting", "live"];

const sockets = new Map(); // socket → the streams that it holds
const states = new Map(); // follower → its latest state

export function follow(stream, { onState = () => {}, ...options }, onFrame) {
  const follower = Symbol(stream);
  const socket = socketFree(stream);
  const tell = (state) => {
    // One more stream on a socket that is live is there in a moment, and no news of the connection.
    const isJoining = state.phase === "connecting" && socket.state.phase === "live";
    if (!isJoining) states.set(follower, state);
    showWorst();
    onState(state);
  };
  const leave = socket.subscribe(stream, { ...options, onState: tell }, onFrame);
  return () => {
    leave();
    states.delete(follower);
    giveBack(socket, stream);
    showWorst();
  };
}

function socketFree(stream) {
  for (const [socket, streams] of sockets) {
    if (!streams.has(stream) && socket.state.phase !== "stopped") {
      streams.add(stream);
      return socket;
    }
  }
  const socket = openSocket();
  sockets.set(socket, new Set([stream]));
  return socket;
}

function giveBack(socket, stream) {
  const streams = sockets.get(socket);
  streams.delete(stream);
  if (streams.size) return;
  socket.close();
  sockets.delete(socket);
}

function showWorst() {
  const place = document.querySelector("connection-state");
  // A stream that has come to its end has not failed.
  const all = [...states.values()].filter(({ reason }) => reason !== "ended");
  const worst = WORST_FIRST.map((phase) => all.find((one) => one.phase === phase)).find(Boolean);
  if (place && worst) place.state = worst;
}
