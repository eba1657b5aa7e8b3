"""Connections that post events, one after the other and as fast as they are answered.

A client library costs more than the servers that are measured. These write bytes and count answers.
"""

import asyncio
import json
import time
import uuid
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from benchmarks.clients import HOST
from benchmarks.processes import Pipe, next_command

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Post from so many connections for so long, each to a conversation of its own."""

    port: int
    key: str
    conversations: Sequence[str]
    events_each: int
    seconds: float
    size: int

    @property
    def path(self) -> str:
        return "/api/ingest" if self.events_each == 1 else "/api/ingest/batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """How long each answer was waited for, and how long it all took."""

    waits_s: "array[float]"
    took_s: float
    busy_s: float


async def main(pipe: "Pipe") -> None:
    while command := await next_command(pipe):
        pipe.send(await _post(command))


async def _post(command: Post) -> Answered:
    loop = asyncio.get_running_loop()
    busy_s = time.process_time()
    waits: array[float] = array("d")
    posters = [Poster(_bodies(command, name), waits) for name in command.conversations]
    for poster in posters:
        await loop.create_connection(lambda poster=poster: poster, HOST, command.port)  # type: ignore[misc]
    began = time.perf_counter()
    for poster in posters:
        poster.begin(until=began + command.seconds)
    await asyncio.gather(*(poster.done for poster in posters))
    return Answered(
        waits_s=waits,
        took_s=time.perf_counter() - began,
        busy_s=time.process_time() - busy_s,
    )


class Poster(asyncio.Protocol):
    """One connection. Fails with the answer that is no success."""

    def __init__(self, next_body: Callable[[], bytes], waits: "array[float]") -> None:
        self.next_body = next_body
        self.waits = waits
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = b""
        self.until = self.asked_at = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def begin(self, *, until: float) -> None:
        self.until = until
        self._ask()

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(HEAD_END)
        if not end or len(body) < _length(head):
            return
        self.received = b""
        if not head.startswith(b"HTTP/1.1 20") or b'"error"' in body:
            self._end(RuntimeError(f"The server answered {head[:40]!r}: {body[:300]!r}"))
            return
        now = time.perf_counter()
        self.waits.append(now - self.asked_at)
        if now < self.until:
            self._ask()
        else:
            self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or RuntimeError("The server closed the connection"))

    def _ask(self) -> None:
        assert self.transport
        request = self.next_body()
        self.asked_at = time.perf_counter()
        self.transport.write(request)

    def _end(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)
            if self.transport:
                self.transport.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def _bodies(command: Post, conversation: str) -> Callable[[], bytes]:
    """The requests of one connection; only the ids of its messages differ."""
    before, _, after = json.dumps(_message(conversation, "ID", "x" * command.size)).partition("ID")
    head = (
        f"POST {command.path} HTTP/1.1\r\nHost: {HOST}:{command.port}\r\n"
        f"Authorization: Bearer {command.key}\r\nContent-Type: application/json\r\n"
    )

    def next_body() -> bytes:
        events = [f"{before}{uuid.uuid4()}{after}" for _ in range(command.events_each)]
        body = events[0] if command.events_each == 1 else f"[{','.join(events)}]"
        return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    return next_body


def _message(conversation: str, message: str, content: str) -> dict[str, Any]:
    return {
        "type": "message.created",
        "data": {
            "conversation_id": conversation,
            "message_id": message,
            "agent_id": "benchmark",
            "agent_type": "benchmark",
            "agent_name": "Benchmark",
            "role": "agent",
            "content": content,
        },
    }
