"""Sockets: the frames are those of `websockets`, and what is kept of a socket at rest is little.

Uvicorn's own parses the handshake a second time, and keeps it, with queues and timers, for as long
as the socket is open.
"""

import asyncio
import logging
import struct
from collections.abc import Iterable
from typing import Any, cast

import structlog
import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.exceptions import InvalidHandshake, InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from streaming.consumers import FRAMES

CLOSED_WITHIN_S = 10.0
GOING_AWAY, NO_CODE, LOST, NOT_TEXT, NO_ANSWER = 1012, 1005, 1006, 1007, 1011

Message = dict[str, Any]

logger = structlog.get_logger(__name__)


class Socket(asyncio.Protocol):
    """From the handshake on. What it says in the scope's headers is gone once it is accepted."""

    __slots__ = (
        "awaited",
        "closing",
        "config",
        "drained",
        "due_at",
        "fragments",
        "has_accepted",
        "has_ended",
        "incoming",
        "is_held_up",
        "is_lost",
        "is_text",
        "loop",
        "others",
        "ping",
        "state",
        "transport",
        "wire",
    )

    def __init__(
        self, config: uvicorn.Config, state: ServerState, transport: asyncio.Transport
    ) -> None:
        self.config = config
        self.state = state
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        # Open for it: the handshake has been read by who hands the connection over.
        self.wire = ServerProtocol(
            state=State.OPEN, max_size=config.ws_max_size, logger=logging.getLogger("uvicorn.error")
        )
        self.has_accepted = False
        # A farewell was said: nothing more is sent, and what comes is not looked at.
        self.has_ended = False
        self.is_lost = False
        self.incoming: list[Message] = []
        self.awaited: asyncio.Future[None] | None = None
        # Nothing is read while the application has something to read.
        self.is_held_up = False
        self.fragments: list[bytes] = []
        self.is_text = False
        # There while the client is slow to read.
        self.drained: asyncio.Event | None = None
        # What has to be answered, and when something is due: the answer, or the next ping.
        self.ping: bytes | None = None
        self.due_at = float("inf")
        self.closing: asyncio.TimerHandle | None = None
        self.others = cast("set[Any]", state.connections)
        self.others.add(self)

    def open(self, request: Request, scope: dict[str, Any]) -> None:
        try:
            key, _, _ = self.wire.process_request(request)
        except InvalidHandshake:
            self._refuse(self.wire.accept(request))
            return
        scope["extensions"] = {FRAMES: self.write_frames}
        task = self.loop.create_task(self._serve(scope, key))
        task.add_done_callback(self.state.tasks.discard)
        self.state.tasks.add(task)

    def write_frames(self, frames: bytes) -> bool:
        """Hand on the bytes of whole frames; False to who is slow to read, or is gone."""
        if self.drained or self.wire.state is not State.OPEN or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True

    def look_after(self, now: float) -> None:
        """Ping where it is time to, and give up who did not answer."""
        if now < self.due_at or self.has_ended or self.transport.is_closing():
            return
        if self.ping is None:
            self.ping = struct.pack("!d", now)
            self.wire.send_ping(self.ping)
            self._flush()
            self.due_at = now + (self.config.ws_ping_timeout or float("inf"))
            return
        self.wire.fail(NO_ANSWER, "keepalive ping timeout")
        self.has_ended = True
        self._flush()
        self._hang_up()

    # What the transport says.

    def data_received(self, data: bytes) -> None:
        self.wire.receive_data(data)
        if self.wire.parser_exc is not None:
            self._fail()
            return
        for event in self.wire.events_received():
            assert isinstance(event, Frame)
            self._take(event)

    def connection_lost(self, error: Exception | None) -> None:
        self._tell_of_end(NO_CODE if self.has_accepted else LOST)
        self.others.discard(self)
        self.is_lost = True
        self.resume_writing()
        if self.closing:
            self.closing.cancel()
        # Or it would stay until a full collection.
        self.wire.parser.close()

    def pause_writing(self) -> None:
        self.drained = asyncio.Event()

    def resume_writing(self) -> None:
        if self.drained:
            self.drained.set()
            self.drained = None

    def shutdown(self) -> None:
        """The server ends."""
        if not self.has_ended and self.has_accepted:
            self._tell_of_end(GOING_AWAY)
            self._say_farewell(GOING_AWAY)
        elif not self.has_ended:
            self._refuse(self.wire.reject(500, "Internal Server Error"))
        self.transport.close()

    # What the application is given.

    async def receive(self) -> Message:
        while not self.incoming:
            self.awaited = self.loop.create_future()
            await self.awaited
        message = self.incoming.pop(0)
        if self.is_held_up and not self.incoming:
            self._read_on()
        return message

    async def send(self, message: Message) -> None:
        if self.drained:
            await self.drained.wait()
        if self.is_lost or self.has_ended:
            raise ClientDisconnected
        try:
            if message["type"] == "websocket.send":
                self._send(message)
            elif message["type"] == "websocket.close" and self.has_accepted:
                self._close(message)
            else:
                assert message["type"] == "websocket.close", message["type"]
                self._refuse(self.wire.reject(403, ""))
        except InvalidState as error:
            raise ClientDisconnected from error

    async def _serve(self, scope: dict[str, Any], key: str) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "websocket.accept":
                self._accept(message, key)
                scope["headers"].clear()
            else:
                await self.send(message)

        self.incoming.append({"type": "websocket.connect"})
        try:
            await self.config.loaded_app(scope, self.receive, send)
        except ClientDisconnected:
            pass
        except Exception:
            logger.exception("socket.crashed")
        finally:
            if not self.has_accepted and not self.has_ended:
                self._refuse(self.wire.reject(500, "Internal Server Error"))
            if self.closing is None:
                self.transport.close()

    def _accept(self, message: Message, key: str) -> None:
        if self.is_lost or self.has_ended:
            raise ClientDisconnected
        lines = [
            b"HTTP/1.1 101 Switching Protocols",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + key.encode(),
        ]
        for name, value in [*self.state.default_headers, *message.get("headers", [])]:
            lines.append(name + b": " + value)
        if message.get("subprotocol"):
            lines.append(b"Sec-WebSocket-Protocol: " + message["subprotocol"].encode("latin-1"))
        self.transport.write(b"\r\n".join([*lines, b"", b""]))
        self.has_accepted = True
        if self.config.ws_ping_interval:
            self.due_at = self.loop.time() + self.config.ws_ping_interval

    def _send(self, message: Message) -> None:
        text = message.get("text")
        if text is not None:
            self.wire.send_text(text.encode())
        else:
            self.wire.send_binary(message["bytes"])
        self._flush()

    def _close(self, message: Message) -> None:
        code, reason = message.get("code", 1000), message.get("reason") or ""
        if self.transport.is_closing():
            return
        self._tell_of_end(code, reason)
        self._say_farewell(code, reason)
        if self.is_held_up:
            self._read_on()
        self.closing = self.loop.call_later(CLOSED_WITHIN_S, self.transport.close)

    def _refuse(self, response: Response) -> None:
        self._tell_of_end(LOST)
        self.has_ended = True
        self.transport.write(response.serialize())
        self.transport.close()

    # What the frames say.

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            if self.ping is not None and bytes(frame.data) == self.ping:
                self.ping = None
                self.due_at = self.loop.time() + (self.config.ws_ping_interval or 0.0)
        elif frame.opcode is Opcode.PING:
            self._flush()
        elif frame.opcode is Opcode.CLOSE:
            self._part()
        else:
            self._gather(frame)

    def _gather(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self.is_text = frame.opcode is Opcode.TEXT
        self.fragments.append(bytes(frame.data))
        if not frame.fin:
            return
        data, self.fragments = b"".join(self.fragments), []
        if self.has_ended:
            return
        message: Message = {"type": "websocket.receive", "bytes": data}
        if self.is_text:
            try:
                message = {"type": "websocket.receive", "text": data.decode()}
            except UnicodeDecodeError:
                self.wire.send_close(NOT_TEXT)
                self._fail()
                return
        self._tell(message)
        if not self.is_held_up:
            self.is_held_up = True
            self.transport.pause_reading()

    def _part(self) -> None:
        """The client has said farewell, or has answered ours."""
        if not self.has_ended:
            assert self.wire.close_rcvd is not None
            self._tell_of_end(self.wire.close_rcvd.code, self.wire.close_rcvd.reason)
            self._flush()
        elif self.closing:
            self.closing.cancel()
        self.transport.close()

    def _fail(self) -> None:
        """This is not how sockets talk."""
        sent = self.wire.close_sent
        self._tell_of_end(sent.code if sent else LOST, sent.reason if sent else "")
        self.has_ended = True
        self._flush()
        self.transport.close()

    def _say_farewell(self, code: int, reason: str = "") -> None:
        self.has_ended = True
        self.wire.send_close(code, reason)
        self._flush()

    def _hang_up(self) -> None:
        # Who does not read either would never let the rest be written.
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _flush(self) -> None:
        self.transport.write(b"".join(self.wire.data_to_send()))

    def _read_on(self) -> None:
        self.is_held_up = False
        self.transport.resume_reading()

    def _tell_of_end(self, code: int, reason: str = "") -> None:
        self._tell({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _tell(self, message: Message) -> None:
        self.incoming.append(message)
        if self.awaited and not self.awaited.done():
            self.awaited.set_result(None)


def look_after(connections: Iterable[object]) -> None:
    """A timer for each socket would take more than looking at all of them now and then."""
    now = asyncio.get_running_loop().time()
    for connection in connections:
        if isinstance(connection, Socket):
            connection.look_after(now)
