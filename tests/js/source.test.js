import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Retry } from "../../static/js/stream/resume.js";
import { openSource } from "../../static/js/stream/source.js";
import { idOf } from "./fakes.js";

let opened;
let status;
let frames;
let states;

class FakeEventSource extends EventTarget {
  static CLOSED = 2;

  constructor(url) {
    super();
    this.url = url;
    this.readyState = 0;
    opened.push(this);
  }

  close() {
    this.readyState = FakeEventSource.CLOSED;
  }

  says(data, lastEventId = "") {
    this.onmessage({ type: "message", data: JSON.stringify(data), lastEventId });
  }

  breaks(readyState) {
    this.readyState = readyState;
    this.onerror();
  }
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  [opened, status, frames, states] = [[], 200, [], []];
});

function follow(options = {}) {
  const source = openSource({
    urlOf: (stream, since) => `${stream}?since=${since}`,
    EventSourceClass: FakeEventSource,
    fetch: async () => ({ status }),
    retry: (nudged) => new Retry({ nudged, places: [], random: () => 1 }),
  });
  const onState = ({ phase, reason }) => states.push(reason ?? phase);
  source.subscribe("project:tower", { onState, ...options }, (frame) => frames.push(frame));
  return source;
}

const settled = () => new Promise(setImmediate);

test("frames carry the id of their line, and come once", () => {
  follow();
  opened[0].says({ type: "connected", lastEventId: idOf(4) });
  opened[0].says({ type: "message.created", data: {} }, idOf(5));
  opened[0].says({ type: "message.created", data: {} }, idOf(5));

  assert.deepEqual(frames.map(({ stream, seq, id }) => [stream, seq, id]), [["project:tower", 5, idOf(5)]]);
  assert.deepEqual(states, ["connecting", "live"]);
});

test("after a break it goes on behind what it knows, also where no event has come", async () => {
  follow();
  opened[0].says({ type: "connected", lastEventId: idOf(4) });
  opened[0].breaks(0);
  await settled();
  mock.timers.tick(500);

  assert.deepEqual(opened.map(({ url }) => url), ["project:tower?since=null", `project:tower?since=${idOf(4)}`]);
  assert.deepEqual(states, ["connecting", "live", "waiting", "connecting"]);
});

for (const [answered, reason] of [
  [204, "ended"],
  [401, "signed_out"],
  [404, "no_such_stream"],
]) {
  test(`an answer of ${answered} stops it: ${reason}`, async () => {
    status = answered;
    follow();
    opened[0].breaks(FakeEventSource.CLOSED);
    await settled();
    mock.timers.tick(60_000);

    assert.equal(states.at(-1), reason);
    assert.equal(opened.length, 1);
  });
}

test("an answer of 503 passes", async () => {
  status = 503;
  follow();
  opened[0].breaks(FakeEventSource.CLOSED);
  await settled();
  mock.timers.tick(500);

  assert.equal(opened.length, 2);
});

test("a closed source stays closed", async () => {
  const source = follow();
  opened[0].breaks(FakeEventSource.CLOSED);
  source.close();
  await settled();
  mock.timers.tick(60_000);

  assert.equal(opened.length, 1);
});
