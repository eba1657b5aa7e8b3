"""An HTTP server on loopback that speaks as vendors of models do, in a thread of its own."""

import asyncio
import json
import random
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tests.vendors import anthropic, openai
from tests.vendors.script import (
    Answer,
    Drop,
    Failure,
    Piece,
    Ping,
    Refusal,
    Script,
    Scripts,
    Text,
    Thinking,
    ToolUse,
    Unknown,
    Wait,
)

VENDORS = {anthropic.PATH: anthropic, openai.PATH: openai}
SCRIPTS_PATH = "/scripts"


@dataclass(slots=True)
class Asked:
    """A request, and what became of its answer; moments are of `time.monotonic`."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    # What the person asked last, and how often the model has responded to it.
    question: str
    responses: int
    at: float = field(default_factory=time.monotonic)
    # The answer has begun, has ended in any way; set from another thread.
    begun: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    # When the client closed the connection under an answer that was not whole.
    left_at: float | None = None


class FakeVendors:
    """Answers what was scripted, until it is closed; without a script it says what was asked."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Asked] = []
        self._queue: deque[Script] = deque()
        self._known: dict[str, tuple[Script, ...]] = {}
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vendors", daemon=True)
        self._connections: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def settings(self) -> dict[str, str]:
        """The settings, or the environment, of somebody who is to ask here."""
        url = f"http://127.0.0.1:{self._port}"
        return {
            "ANTHROPIC_API_KEY": "sk-ant-tests",
            "ANTHROPIC_BASE_URL": url,
            "OPENAI_API_KEY": "sk-tests",
            "OPENAI_BASE_URL": f"{url}/v1",
        }

    def play(self, *scripts: Script) -> None:
        """The next requests, whoever makes them, get these in turn."""
        self._queue.extend(scripts)

    def when(self, words: str, *scripts: Script) -> None:
        """A question with these words in it gets the first; what follows from it, the next.

        Which of them depends on the request alone, so that runs may be many, or taken over.
        """
        self._known[words] = scripts

    def load(self, scripts: Scripts) -> None:
        self.play(*scripts.play)
        for words, answers in scripts.when.items():
            self.when(words, *answers)

    def _script(self, asked: Asked) -> Script:
        if self._queue:
            return self._queue.popleft()
        for words, scripts in self._known.items():
            if words in asked.question:
                return scripts[min(asked.responses, len(scripts) - 1)]
        return Answer(pieces=(Text(text=f"You asked: {asked.question}", each=5),))

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # asyncio takes it for a fault where a connection was cancelled
        finally:
            self._connections.discard(connection)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # While an answer is sent, the next byte, or that there is none, is waited for.
        ahead = asyncio.ensure_future(reader.read(1))
        try:
            while first := await ahead:
                path, headers, content = await _read(first, reader)
                ahead = asyncio.ensure_future(reader.read(1))
                await self._respond(path, headers, content, Way(writer, ahead))
        finally:
            ahead.cancel()

    async def _respond(
        self, path: str, headers: dict[str, str], content: bytes, way: "Way"
    ) -> None:
        if path == SCRIPTS_PATH:
            self.load(Scripts.model_validate_json(content))
            await way.answer(200, b"{}", {})
            return
        vendor = VENDORS.get(path.partition("?")[0])
        if vendor is None:
            await way.answer(404, b'{"error": {"message": "Not Found"}}', {})
            return
        body = json.loads(content)
        asked = Asked(path, headers, body, *vendor.question(body))
        self.requests.append(asked)
        script = self._script(asked)
        try:
            if isinstance(script, Refusal):
                await way.answer(script.status, vendor.refusal(script), script.headers)
            else:
                await _stream(script, vendor.Stream(script, body), way, asked)
        except (ConnectionError, Gone):
            asked.left_at = time.monotonic()
            raise
        finally:
            asked.over.set()


class Gone(ConnectionError):
    """The client has closed the connection."""


class Way:
    """Back to the client: bytes as they are to be cut, and word that nobody takes them."""

    def __init__(self, writer: asyncio.StreamWriter, ahead: asyncio.Future[bytes]) -> None:
        self._writer = writer
        self._ahead = ahead

    async def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        about = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        self._writer.write(_head(status, about) + body)
        await self._writer.drain()

    async def begin(self) -> None:
        about = {"Content-Type": "text/event-stream; charset=utf-8", "Transfer-Encoding": "chunked"}
        self._writer.write(_head(200, {**about, "Cache-Control": "no-cache"}))
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._writer.drain()
        await self.wait(0)

    async def wait(self, seconds: float) -> None:
        done, _ = await asyncio.wait({self._ahead}, timeout=seconds)
        if done and not self._ahead.result():
            raise Gone

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def drop(self) -> None:
        self._writer.transport.abort()


async def _stream(
    answer: Answer, stream: "anthropic.Stream | openai.Stream", way: Way, asked: Asked
) -> None:
    cutter = Cutter(answer.cut)
    await way.begin()
    async for event in _events(answer, stream, way, asked):
        for data in cutter.cut(event):
            await way.send(data)
    for data in cutter.rest():
        await way.send(data)
    if isinstance(answer.pieces[-1], Drop) and not answer.pieces[-1].neatly:
        way.drop()
    else:
        await way.end()


async def _events(
    answer: Answer, stream: "anthropic.Stream | openai.Stream", way: Way, asked: Asked
) -> AsyncIterator[bytes]:
    for event in stream.opening():
        yield event
    asked.begun.set()
    for piece in answer.pieces:
        match piece:
            case Wait():
                await way.wait(piece.seconds)
            case Drop():
                return
            case Text():
                for _ in range(piece.times):
                    for event in stream.text(piece):
                        yield event
                        if piece.pace_s:
                            await way.wait(piece.pace_s)
            case _:
                for event in _events_of(piece, stream):
                    yield event
                if isinstance(piece, Failure):
                    return
    for event in stream.closing():
        yield event


def _events_of(piece: Piece, stream: "anthropic.Stream | openai.Stream") -> Iterator[bytes]:
    match piece:
        case Thinking():
            return stream.thinking(piece)
        case ToolUse():
            return stream.tool_use(piece)
        case Ping():
            return stream.ping(piece)
        case Unknown():
            return stream.unknown(piece)
        case Failure():
            return stream.failure(piece)
        case _:
            raise AssertionError(piece)


class Cutter:
    """Cuts what is to be sent, without regard to letters, lines or events."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._random = random.Random(4)
        self._held = b""

    def cut(self, event: bytes) -> list[bytes]:
        match self._where:
            case "events":
                return [event]
            case "bytes":
                return [event[at : at + 1] for at in range(len(event))]
            case _:
                return self._anywhere(event)

    def rest(self) -> list[bytes]:
        return [self._held] if self._held else []

    def _anywhere(self, event: bytes) -> list[bytes]:
        self._held += event
        cuts = []
        while len(self._held) > (size := self._random.randint(1, 90)):
            cuts.append(self._held[:size])
            self._held = self._held[size:]
        return cuts


async def _read(first: bytes, reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (first + await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    content = await reader.readexactly(int(headers.get("content-length", 0)))
    return head[0].split()[1], headers, content


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Fake"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
