"""Many sockets on one stream, cheap enough to measure a server with.

A client library would be slower than the server that it measures. These listeners share one
buffer, look at the head of each frame and skip the rest.
"""

import asyncio
import time
from array import array
from dataclasses import dataclass
from typing import cast

from benchmarks.processes import Pipe, next_command

HOST = "127.0.0.1"
BUFFER_BYTES = 256 * 1024
OPENED_AT_ONCE = 50
OPENED_WITHIN_S = 60
# A frame is looked at when so much of it is here, or all of it.
HEAD_BYTES = 64
# A frame's text starts with the time of its event: {"id":"1700000000000_
ID_STARTS_AT, ID_ENDS_AT = 7, 20

TEXT, CLOSE, PING = 0x81, 0x88, 0x89


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Open so many sockets on a path; answered when each has heard the stream's greeting."""

    port: int
    path: str
    sockets: int


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
            case Listen():
                listening = asyncio.ensure_future(crowd.listen(command))
                await asyncio.sleep(0)
                pipe.send(command)
                pipe.send(await listening)


class Crowd:
    """All the listeners of this process and what they have heard, by the event's place."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.listeners: list[Listener] = []
        self.recorded_at: array[float] = array("d")
        self.times: list[array[float]] = []
        self.left = 0
        self.frame_bytes = 0
        self.is_over = asyncio.Event()
        self.lost = 0

    async def open(self, wanted: Open) -> None:
        turn = asyncio.Semaphore(OPENED_AT_ONCE)
        async with asyncio.timeout(OPENED_WITHIN_S):
            await asyncio.gather(*(self._open(wanted, turn) for _ in range(wanted.sockets)))

    async def listen(self, wanted: Listen) -> Heard:
        start, busy_s = len(self.times), time.process_time()
        self.times += [array("d") for _ in range(wanted.events)]
        self.recorded_at.extend([0.0] * wanted.events)
        self.left, self.frame_bytes = wanted.events * len(self.listeners), 0
        self.is_over.clear()
        try:
            await asyncio.wait_for(self.is_over.wait(), wanted.within_s)
        except TimeoutError:
            raise RuntimeError(
                f"{self.left:,} of {wanted.events * len(self.listeners):,} deliveries did not "
                f"come, and {self.lost} sockets were closed"
            ) from None
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
            listener = Listener(self, wanted)
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: listener, HOST, wanted.port)
            await listener.greeted.wait()
            self.listeners.append(listener)


class Listener(asyncio.BufferedProtocol):
    """One socket: asks for the stream, counts whole frames, answers pings and keeps nothing."""

    def __init__(self, crowd: Crowd, wanted: Open) -> None:
        self.crowd = crowd
        self.request = handshake(wanted.port, wanted.path)
        self.transport = asyncio.Transport()
        self.greeted = asyncio.Event()
        self.is_open = False
        self.heard = -1  # the greeting is no event
        self.torn = b""
        self.missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an instance of it, under uvloop.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.request)

    def connection_lost(self, error: Exception | None) -> None:
        self.crowd.lost += 1

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
            self._take(data)
        else:
            self._take_handshake(data.tobytes())

    def _take_handshake(self, data: bytes) -> None:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            self.torn = data
            return
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.decode("latin-1"))
        self.is_open = True
        self._take(memoryview(rest))

    def _take(self, data: memoryview) -> None:
        now, size, place = time.time(), len(data), self.missing
        if self.missing:
            self.missing = 0
            self._count(now)
        while place < size:
            start, length = frame_bounds(data, place)
            end = start + length
            if end > size and size - place < HEAD_BYTES:
                self.torn = data[place:].tobytes()
                return
            if data[place] == TEXT:
                self._look(data, start, end - place)
                if end > size:
                    self.missing = end - size
                    return
                self._count(now)
            else:
                self._answer(data[place], data[start:end].tobytes())
            place = end

    def _look(self, data: memoryview, start: int, frame_bytes: int) -> None:
        """Note an event's time of recording, for whoever hears it first."""
        if self.heard >= 0 and not self.crowd.recorded_at[self.heard]:
            written = data[start + ID_STARTS_AT : start + ID_ENDS_AT].tobytes()
            self.crowd.recorded_at[self.heard] = int(written) / 1000
            self.crowd.frame_bytes = max(self.crowd.frame_bytes, frame_bytes)

    def _count(self, now: float) -> None:
        if self.heard < 0:
            self.greeted.set()
        else:
            self.crowd.note(self.heard, now)
        self.heard += 1

    def _answer(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            # A client's frames are masked; a mask of zeros leaves them as they are.
            self.transport.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        elif opcode == CLOSE:
            self.transport.close()


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
