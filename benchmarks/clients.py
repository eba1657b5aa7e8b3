"""Many connections to one stream, cheap enough to measure a server with.

A client library would be slower than the server that it measures. These listeners share one
buffer, look at the head of each frame and skip the rest.
"""

import asyncio
import re
import time
from array import array
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, cast

from benchmarks.processes import Pipe, next_command

HOST = "127.0.0.1"
BUFFER_BYTES = 256 * 1024
OPENED_AT_ONCE = 50
OPENED_WITHIN_S = 300
# A frame is looked at when so much of it is here, or all of it.
HEAD_BYTES = 64
# A frame's text starts with the time of its event: {"id":"1700000000000_
ID_STARTS_AT, ID_ENDS_AT = 7, 20

TEXT, CLOSE, PING = 0x81, 0x88, 0x89
EVENT_END = b"}\n\n"
ID = re.compile(rb"(\d{13})_\d{4,}_")
SHORTEST_ID = 19


Form = Literal["websocket", "sse", "socket.io"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Open so many connections; answered when each has heard the stream's greeting."""

    port: int
    path: str
    sockets: int
    form: Form = "websocket"
    is_greeted: bool = True
    at_once: int = OPENED_AT_ONCE
    # So many events come with the opening, each of which is waited for.
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Close all connections at the same moment; answered when they are closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Expect so many events on every socket; answered at once, and again by what was heard."""

    events: int
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """For each event, when the server recorded it and when each socket had it whole."""

    recorded_at: "array[float]"
    times: "list[array[float]]"
    frame_bytes: int
    busy_s: float

    @property
    def deliveries(self) -> int:
        return sum(map(len, self.times))

    @property
    def first(self) -> float:
        return min(map(min, self.times))

    @property
    def last(self) -> float:
        return max(map(max, self.times))


async def main(pipe: "Pipe") -> None:
    crowd = Crowd()
    while command := await next_command(pipe):
        match command:
            case Open():
                await crowd.open(command)
                pipe.send(command)
            case Leave():
                await crowd.leave()
                pipe.send(command)
            case Listen():
                listening = asyncio.ensure_future(crowd.listen(command))
                await asyncio.sleep(0)
                pipe.send(command)
                pipe.send(await listening)


class Crowd:
    """All the listeners of this process and what they have heard, by the event's place."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.listeners: list[Listening] = []
        self.recorded_at: array[float] = array("d")
        self.times: list[array[float]] = []
        self.left = 0
        self.frame_bytes = 0
        self.is_over = asyncio.Event()
        self.lost = 0

    async def open(self, wanted: Open) -> None:
        self.times += [array("d") for _ in range(wanted.missed)]
        self.recorded_at.extend([0.0] * wanted.missed)
        turn = asyncio.Semaphore(wanted.at_once)
        async with asyncio.timeout(OPENED_WITHIN_S):
            await asyncio.gather(*(self._open(wanted, turn) for _ in range(wanted.sockets)))

    async def leave(self) -> None:
        for listener in self.listeners:
            listener.transport.abort()
        await asyncio.gather(*(listener.closed.wait() for listener in self.listeners))
        self.listeners, self.times, self.recorded_at, self.lost = [], [], array("d"), 0

    async def listen(self, wanted: Listen) -> Heard:
        start, busy_s = len(self.times), time.process_time()
        self.times += [array("d") for _ in range(wanted.events)]
        self.recorded_at.extend([0.0] * wanted.events)
        self.left, self.frame_bytes = wanted.events * len(self.listeners), 0
        self.is_over.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.is_over.wait(), wanted.within_s)
        if self.left:
            raise RuntimeError(
                f"{self.left:,} of {wanted.events * len(self.listeners):,} deliveries did not "
                f"come, and {self.lost} connections were closed"
            )
        return Heard(
            recorded_at=self.recorded_at[start:],
            times=self.times[start:],
            frame_bytes=self.frame_bytes,
            busy_s=time.process_time() - busy_s,
        )

    def note(self, place: int, at: float) -> None:
        self.times[place].append(at)
        self.left -= 1
        if not self.left:
            self.is_over.set()

    async def _open(self, wanted: Open, turn: asyncio.Semaphore) -> None:
        async with turn:
            listener = FORMS[wanted.form](self, wanted)
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: listener, HOST, wanted.port)
            self.listeners.append(listener)
            await listener.greeted.wait()
            if listener.closed.is_set():
                raise ConnectionError("The server closed a connection before its greeting")


class Listening(asyncio.BufferedProtocol):
    """One connection: asks for the stream, counts whole frames and keeps nothing."""

    success = b"HTTP/1.1 200"

    def __init__(self, crowd: Crowd, wanted: Open) -> None:
        self.crowd = crowd
        self.request = self.head(wanted.port, wanted.path)
        self.transport = asyncio.Transport()
        self.greeted = asyncio.Event()
        self.closed = asyncio.Event()
        self.is_open = False
        # The greeting is no event.
        self.heard = -1 if wanted.is_greeted else 0
        self.missed = wanted.missed
        self.torn = b""
        self.missing = 0

    def head(self, port: int, path: str) -> bytes:
        raise NotImplementedError

    def take(self, data: memoryview) -> None:
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an instance of it, under uvloop.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.request)

    def connection_lost(self, error: Exception | None) -> None:
        self.crowd.lost += 1
        self.crowd.is_over.set()
        self.closed.set()
        self.greeted.set()

    def get_buffer(self, size_hint: int) -> memoryview:
        return self.crowd.buffer

    def buffer_updated(self, size: int) -> None:
        if size < self.missing:
            self.missing -= size
            return
        data = self.crowd.buffer[:size]
        if self.torn:
            data, self.torn = memoryview(self.torn + data.tobytes()), b""
        if self.is_open:
            self.take(data)
        else:
            self._take_head(data.tobytes())

    def _take_head(self, data: bytes) -> None:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            self.torn = data
            return
        if not head.startswith(self.success):
            raise ConnectionError(head.decode("latin-1"))
        self.is_open = True
        if self.heard == 0:
            self.greeted.set()
        self.take(memoryview(rest))

    def count(self, now: float) -> None:
        if self.heard >= 0:
            self.crowd.note(self.heard, now)
        self.heard += 1
        if self.heard == self.missed:
            self.greeted.set()


class SocketListener(Listening):
    """Answers pings."""

    success = b"HTTP/1.1 101"
    id_starts_at, id_ends_at = ID_STARTS_AT, ID_ENDS_AT

    def head(self, port: int, path: str) -> bytes:
        return handshake(port, path)

    def take(self, data: memoryview) -> None:
        now, size, place = time.time(), len(data), self.missing
        if self.missing:
            self.missing = 0
            self.count(now)
        while place < size:
            start, length = frame_bounds(data, place)
            end = start + length
            if end > size and size - place < HEAD_BYTES:
                self.torn = data[place:].tobytes()
                return
            if data[place] == TEXT and self._is_told(data, start, end):
                self._look(data, start, end - place)
                if end > size:
                    self.missing = end - size
                    return
                self.count(now)
            elif data[place] != TEXT:
                self._answer(data[place], data[start:end].tobytes())
            place = end

    def _is_told(self, data: memoryview, start: int, end: int) -> bool:
        return True

    def _look(self, data: memoryview, start: int, frame_bytes: int) -> None:
        """Note an event's time of recording, for whoever hears it first."""
        if self.heard >= 0 and not self.crowd.recorded_at[self.heard]:
            written = data[start + self.id_starts_at : start + self.id_ends_at].tobytes()
            self.crowd.recorded_at[self.heard] = int(written) / 1000
            self.crowd.frame_bytes = max(self.crowd.frame_bytes, frame_bytes)

    def _answer(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            # A client's frames are masked; a mask of zeros leaves them as they are.
            self.transport.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        elif opcode == CLOSE:
            self.transport.close()


class SocketIoListener(SocketListener):
    """Its texts start with numbers that say what they are: 42 is an event, 2 a ping."""

    id_starts_at, id_ends_at = 17, 30  # 42["told",{"id":"

    def _is_told(self, data: memoryview, start: int, end: int) -> bool:
        kind = data[start : start + 2].tobytes()
        if kind == b"42":
            return True
        if kind.startswith(b"0"):
            self._say(b"40")
        elif kind.startswith(b"2"):
            self._say(b"3")
        return False

    def _say(self, text: bytes) -> None:
        self.transport.write(bytes((TEXT, 0x80 | len(text), 0, 0, 0, 0)) + text)


class EventListener(Listening):
    """Server-sent events, each a JSON object."""

    looked = 0

    def head(self, port: int, path: str) -> bytes:
        return (
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAccept: text/event-stream\r\n\r\n"
        ).encode()

    def take(self, data: memoryview) -> None:
        now, told = time.time(), data.tobytes()
        if self.heard < 0:
            _, end, rest = told.partition(b"\n\n")
            if not end:
                self.torn = told
                return
            self.count(now)
            told = rest
        if self is self.crowd.listeners[0]:
            self._look(told)
        for _ in range(told.count(EVENT_END)):
            self.count(now)
        # What may be the beginning of an end, or of an id.
        self.torn = told[told.rfind(EVENT_END) + len(EVENT_END) :][1 - SHORTEST_ID :]

    def _look(self, told: bytes) -> None:
        """It is enough that one of all notes when its events were recorded."""
        for found in ID.finditer(told):
            self.crowd.recorded_at[self.looked] = int(found[1]) / 1000
            self.looked += 1


FORMS: dict[Form, type[Listening]] = {
    "websocket": SocketListener,
    "sse": EventListener,
    "socket.io": SocketIoListener,
}


def handshake(port: int, path: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {HOST}:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def frame_bounds(data: memoryview, place: int) -> tuple[int, int]:
    """Where a frame's payload starts and how long it is; beyond the end where that is not here."""
    here = len(data) - place
    if here < 2:
        return place + HEAD_BYTES, 0
    length = data[place + 1]
    if length < 126:
        return place + 2, length
    header = 4 if length == 126 else 10
    if here < header:
        return place + HEAD_BYTES, 0
    return place + header, int.from_bytes(data[place + 2 : place + header], "big")
