import assert from "node:assert/strict";
import { test } from "node:test";

import { send } from "../../static/js/upload.js";

/** Stands in for the browser's; each request gets the next answer. */
function answering(...answers) {
  const sent = [];
  globalThis.XMLHttpRequest = class {
    upload = {};
    headers = {};

    open(method, url) {
      this.address = `${method} ${url}`;
    }

    setRequestHeader(name, value) {
      this.headers[name] = value;
    }

    getResponseHeader() {
      return this.retryAfter;
    }

    send() {
      sent.push(this);
      const answer = answers.shift();
      Object.assign(this, answer);
      queueMicrotask(() => (answer ? this.onload() : this.onerror()));
    }

    abort() {
      this.onabort();
    }
  };
  return sent;
}

const options = (more) => ({
  token: "t",
  key: "k",
  signal: new AbortController().signal,
  onProgress: () => {},
  ...more,
});
const opened = { status: 202, responseText: '{"job": {"id": "c1"}}' };

test("a file is sent with what the server wants to know", async () => {
  const requests = answering(opened);

  const body = await send("/jobs", new Blob(["{}"]), options());

  assert.deepEqual(body, { job: { id: "c1" } });
  assert.equal(requests[0].address, "POST /jobs");
  assert.deepEqual(requests[0].headers, { "X-CSRFToken": "t", "Idempotency-Key": "k" });
});

test("too many at once wait as long as the server says, and go on under the same key", async () => {
  const requests = answering({ status: 429, retryAfter: "0.01", responseText: "{}" }, opened);
  const waits = [];

  await send("/jobs", new Blob(["{}"]), options({ onWait: (seconds) => waits.push(seconds) }));

  assert.deepEqual(waits, [0.01]);
  assert.deepEqual(requests.map(({ headers }) => headers["Idempotency-Key"]), ["k", "k"]);
});

test("what is refused is refused in the server's words", async () => {
  answering({ status: 400, responseText: '{"error": "There is nothing in the file"}' });
  await assert.rejects(send("/jobs", new Blob([]), options()), /There is nothing in the file/);

  answering({ status: 502, responseText: "<html>" });
  await assert.rejects(send("/jobs", new Blob([]), options()), /answered with 502/);

  answering();
  await assert.rejects(send("/jobs", new Blob([]), options()), /The connection broke/);
});

test("whoever leaves a file out while it waits sends nothing more", async () => {
  const requests = answering({ status: 429, retryAfter: "60", responseText: "{}" }, opened);
  const stop = new AbortController();

  const sending = send("/jobs", new Blob([]), options({ signal: stop.signal, onWait: () => stop.abort() }));

  await assert.rejects(sending, /Left out/);
  assert.equal(requests.length, 1);
});
