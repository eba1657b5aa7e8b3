import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Retry } from "../../static/js/stream/resume.js";
import { openSocket } from "../../static/js/stream/socket.js";
import { FakeSocket, frame, idOf } from "./fakes.js";

const TOWER = "project:tower";

let page;
let states;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  FakeSocket.all = [];
  page = new EventTarget();
  states = [];
});

/** A socket whose back-off always waits as long as it may. */
function open() {
  const places = ["online", "offline", "visibilitychange"].map((name) => [page, name]);
  return openSocket({
    url: "ws://tower/api/stream",
    WebSocketClass: FakeSocket,
    onState: (state) => states.push(state),
    retry: (nudged) => new Retry({ nudged, places, random: () => 1 }),
  });
}

function follow(socket, options = {}, stream = TOWER) {
  const frames = [];
  const followed = { frames, states: [] };
  const onState = (state) => followed.states.push(state.reason ?? state.phase);
  followed.leave = socket.subscribe(stream, { onState, ...options }, (one) => frames.push(one));
  return followed;
}

const phases = () => states.map((state) => state.phase);

test("it is live when the server has let it in, and not when the socket has opened", () => {
  open();
  assert.deepEqual(phases(), ["connecting"]);

  FakeSocket.last.accept();

  assert.deepEqual(phases(), ["connecting", "live"]);
});

test("an error that a stream tells of is told on, and ends nothing", () => {
  const followed = follow(open());
  FakeSocket.last.accept();
  const told = { ...frame(1), type: "error", error: "The tower has fallen", stream: TOWER };

  FakeSocket.last.says(told);

  assert.deepEqual([followed.frames, followed.states.at(-1)], [[told], "connecting"]);
});

test("a stream is asked for from where the page stands, with its filters", () => {
  const socket = open();
  follow(socket, { since: idOf(7), types: ["ingest.*"], agentIds: ["ada"] });
  FakeSocket.last.accept();

  assert.deepEqual(FakeSocket.last.sent, [
    { action: "subscribe", stream: TOWER, since: idOf(7), types: ["ingest.*"], agentIds: ["ada"] },
  ]);
});

test("frames go to those who follow their stream, each of them once", () => {
  const socket = open();
  FakeSocket.last.accept();
  const tower = follow(socket);
  const moat = follow(socket, {}, "project:moat");

  for (const seq of [1, 2, 2, 1, 3]) FakeSocket.last.says(frame(seq));
  FakeSocket.last.says(frame(1, "project:moat"));
  FakeSocket.last.says(frame(1, "project:unknown"));

  assert.deepEqual(tower.frames.map(({ seq }) => seq), [1, 2, 3]);
  assert.deepEqual(moat.frames.map(({ stream }) => stream), ["project:moat"]);
});

test("after a break each stream goes on behind its last event", () => {
  const socket = open();
  FakeSocket.last.accept();
  follow(socket, { since: "0" });
  follow(socket, {}, "project:quiet");
  FakeSocket.last.says({ type: "subscribed", stream: "project:quiet", lastEventId: idOf(40) });
  FakeSocket.last.says(frame(5));

  FakeSocket.last.ends();
  mock.timers.tick(500);
  FakeSocket.last.accept();

  assert.equal(FakeSocket.all.length, 2);
  assert.deepEqual(FakeSocket.last.sent.map(({ since }) => since), [idOf(5), idOf(40)]);
});

test("waits double from half a second to fifteen, and say when they end", () => {
  open();
  const waits = [];
  for (let attempt = 0; attempt < 7; attempt += 1) {
    FakeSocket.last.ends();
    const { phase, retryAt } = states.at(-1);
    assert.equal(phase, "waiting");
    waits.push(retryAt - Date.now());
    mock.timers.tick(waits.at(-1));
  }

  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 15000, 15000]);
});

test("a connection that has held starts the next back-off anew", () => {
  open();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    FakeSocket.last.ends();
    mock.timers.tick(15_000);
  }
  FakeSocket.last.accept();
  mock.timers.tick(5_000);
  FakeSocket.last.ends();

  assert.equal(states.at(-1).retryAt - Date.now(), 500);
});

for (const name of ["online", "visibilitychange"]) {
  test(`${name} ends a wait at once`, () => {
    open();
    FakeSocket.last.ends();
    page.dispatchEvent(new Event(name));

    assert.equal(FakeSocket.all.length, 2);
  });
}

test("a silent connection is asked, and given up where it does not answer", () => {
  const socket = open();
  const dead = FakeSocket.last;
  const tower = follow(socket);
  dead.accept();

  mock.timers.tick(10_000);
  assert.deepEqual(dead.sent.at(-1), { action: "ping" });
  mock.timers.tick(5_000);

  assert.ok(dead.isClosed);
  assert.equal(phases().at(-1), "waiting");
  dead.says(frame(1));
  assert.deepEqual(tower.frames, []);
});

test("a pong is enough to stay live", () => {
  open();
  FakeSocket.last.accept();
  for (let round = 0; round < 5; round += 1) {
    mock.timers.tick(10_000);
    FakeSocket.last.says({ type: "pong" });
  }

  assert.deepEqual(phases(), ["connecting", "live"]);
});

test("a network that went away has the connection checked at once", () => {
  open();
  FakeSocket.last.accept();
  page.dispatchEvent(new Event("offline"));
  assert.deepEqual(FakeSocket.last.sent, [{ action: "ping" }]);

  mock.timers.tick(5_000);

  assert.equal(phases().at(-1), "waiting");
});

for (const [code, reason] of [
  [4401, "signed_out"],
  [4403, "forbidden"],
  [4404, "no_such_stream"],
]) {
  test(`close code ${code} stops it for good: ${reason}`, () => {
    const socket = open();
    const tower = follow(socket);
    FakeSocket.last.ends(code);
    mock.timers.tick(60_000);
    page.dispatchEvent(new Event("online"));

    assert.equal(FakeSocket.all.length, 1);
    assert.deepEqual(states.at(-1), { phase: "stopped", reason });
    assert.equal(tower.states.at(-1), reason);
  });
}

test("a server that shuts down is looked for soon", () => {
  open();
  FakeSocket.last.ends();
  mock.timers.tick(500);
  FakeSocket.last.accept();
  FakeSocket.last.ends(1013);

  assert.equal(states.at(-1).retryAt - Date.now(), 500);
});

test("too many connections are not made more by hurrying", () => {
  open();
  FakeSocket.last.ends(4408);

  assert.equal(states.at(-1).retryAt - Date.now(), 10_000);
});

test("events that are gone are told, and what is left of them comes", () => {
  const socket = open();
  const tower = follow(socket, { since: idOf(90) });
  FakeSocket.last.accept();
  FakeSocket.last.says({ type: "stream.truncated", stream: TOWER, oldestId: idOf(3) });
  FakeSocket.last.says(frame(3));

  assert.deepEqual(tower.frames.map(({ type }) => type), ["stream.truncated", "message.created"]);
});

test("a stream that is not there stops alone; one that broke off is asked for again", () => {
  const socket = open();
  FakeSocket.last.accept();
  const gone = follow(socket, {}, "project:gone");
  const broken = follow(socket);
  FakeSocket.last.says({ type: "error", code: "no_such_stream", stream: "project:gone" });
  FakeSocket.last.says({ type: "error", code: "failed", stream: TOWER });
  mock.timers.tick(500);

  assert.equal(gone.states.at(-1), "no_such_stream");
  assert.deepEqual(broken.states, ["connecting", "waiting", "connecting"]);
  assert.deepEqual(FakeSocket.last.sent.map(({ stream }) => stream), ["project:gone", TOWER, TOWER]);
  assert.equal(socket.state.phase, "live");
});

test("leaving a stream leaves it on the server, too", () => {
  const socket = open();
  FakeSocket.last.accept();
  const tower = follow(socket);
  tower.leave();
  FakeSocket.last.says(frame(1));

  assert.deepEqual(FakeSocket.last.sent.at(-1), { action: "unsubscribe", stream: TOWER });
  assert.deepEqual(tower.frames, []);
});

test("a closed socket stays closed", () => {
  const socket = open();
  FakeSocket.last.accept();
  socket.close();
  page.dispatchEvent(new Event("online"));
  mock.timers.tick(60_000);

  assert.ok(FakeSocket.last.isClosed);
  assert.equal(FakeSocket.all.length, 1);
});
