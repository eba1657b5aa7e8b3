// A WebSocket that a test plays the server of.

export class FakeSocket {
  static OPEN = 1;
  static all = [];

  static get last() {
    return FakeSocket.all.at(-1);
  }

  constructor(url) {
    this.url = url;
    this.readyState = 0;
    this.sent = [];
    this.isClosed = false;
    FakeSocket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.isClosed = true;
  }

  /** What the server does: let the client in, say something, close. */
  accept() {
    this.readyState = FakeSocket.OPEN;
    this.says({ type: "connected", lastEventId: null });
  }

  says(frame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  ends(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code, reason: "" });
  }
}

export const idOf = (seq) => `1760000000000_${String(seq).padStart(4, "0")}_0a1b2c3d`;

export const frame = (seq, stream = "project:tower", type = "message.created") => ({
  stream,
  id: idOf(seq),
  seq,
  type,
  data: {},
});
