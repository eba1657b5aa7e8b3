// socket.io with its Redis adapter, one process; it tells what it is asked for, a line each.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

// {"id":"…","data":"…"} is that much longer than what is in it.
const AROUND = 21 + 31;
const event = (size) => ({ id: `${Date.now()}_0001_00000000`, data: "x".repeat(size - AROUND) });
const rest = (ms) =>
  new Promise((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)));

const toRedis = createClient({ url: process.env.REDIS_URL });
const fromRedis = toRedis.duplicate();
await Promise.all([toRedis.connect(), fromRedis.connect()]);

const server = createServer();
const io = new Server(server, {
  adapter: createAdapter(toRedis, fromRedis),
  transports: ["websocket"],
  perMessageDeflate: false,
});
io.on("connection", (socket) => socket.emit("told", { type: "connected" }));
server.listen({ port: 0, host: "127.0.0.1", backlog: 2048 }, () => console.log(server.address().port));

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const began = performance.now();
  for (let told = 0; told < asked.events; told += 1) {
    await rest(began + told * asked.gap_s * 1000 - performance.now());
    io.emit("told", event(asked.bytes));
  }
}
process.exit();
