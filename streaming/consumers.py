"""Sockets: one topic per path, or many topics on one socket. They follow; they do nothing else."""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from enum import IntEnum
from typing import Any, assert_never
from urllib.parse import parse_qs

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError
from pydantic import ValidationError

from streaming import topics, wire
from streaming.asking import in_database
from streaming.errors import (
    CursorMalformed,
    LeaveEnded,
    StreamingError,
    TopicForbidden,
    TopicUnknown,
)
from streaming.events import EVERYTHING, Filter, seq_of
from streaming.follow import Push, Truncated, following
from streaming.hub import HubClosed
from streaming.schemas import Ping, Subscribe, Unsubscribe, read_command

SUBPROTOCOL = "agentpipe"
MOST_STREAMS = 100
LARGEST_COMMAND = 64 * 1024

# What a server that lets frames be written as they are has in the scope's extensions: it takes the
# bytes of whole frames at once, and says whether it did.
FRAMES = "agentpipe.frames"

# What a caller who comes without a cursor is shown first, by the stream's name.
PresentState = Callable[[Any, str], dict[str, object]]

logger = structlog.get_logger(__name__)


class CloseCode(IntEnum):
    DONE = 1000
    FAILED = 1011
    TRY_AGAIN = 1013
    MALFORMED_CURSOR = 4400
    NOT_AUTHENTICATED = 4401
    FORBIDDEN = 4403
    NO_SUCH_STREAM = 4404
    TOO_MANY = 4408


# What a client reads when a stream ends against its will: the code of a closed socket, and the
# name of the error on a socket that stays open for other streams.
ENDINGS: dict[type[Exception], tuple[CloseCode, str]] = {
    CursorMalformed: (CloseCode.MALFORMED_CURSOR, "malformed_cursor"),
    TopicForbidden: (CloseCode.FORBIDDEN, "forbidden"),
    TopicUnknown: (CloseCode.NO_SUCH_STREAM, "no_such_stream"),
    LeaveEnded: (CloseCode.NOT_AUTHENTICATED, "not_authenticated"),
    HubClosed: (CloseCode.TRY_AGAIN, "try_again"),
    DatabaseError: (CloseCode.TRY_AGAIN, "try_again"),
}


class StreamConsumer(AsyncWebsocketConsumer):
    """A socket that is let in or told why not, always after accepting: browsers hide the rest."""

    present_state: PresentState | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # The hub listens for everybody. Channels' own asks for a channel of each socket, keeps
        # tasks for it, and goes through a thread at its end, to close what we never open.
        self.scope, self.base_send = scope, send
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                await getattr(self, message["type"].replace(".", "_"))(message)
        finally:
            self.leave()

    @abstractmethod
    def leave(self) -> None:
        """The socket is gone, or on its way."""

    async def connect(self) -> None:
        offered = self.scope.get("subprotocols", [])
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else next(iter(offered), None))
        refusal = self.scope.get("refusal")
        if refusal:
            await self.close(*refusal)
        else:
            await self.open()

    @abstractmethod
    async def open(self) -> None:
        """The caller is known and the socket is accepted."""

    async def forward(
        self, stream: str, *, after: int | None, only: Filter, label: str | None
    ) -> None:
        """Send a stream's frames until it ends; `label` names it on a socket of many."""
        caller = self.scope["caller"]
        topic = await in_database(topics.resolve, caller, stream)
        push = self._push(label)
        async with following(
            topic, after=after, transport="socket", only=only, leave=caller.leave, push=push
        ) as follower:
            await self.send_notice(self.opening(stream, follower.last_id))
            # Asked once the place in the topic is taken: what changes after that is in a frame.
            if self.present_state and after is None:
                name = stream.partition(":")[2]
                state = await in_database(self.present_state, caller, name)
                await self.send_notice(state)
            async for batch in follower:
                if isinstance(batch, Truncated):
                    await self.send_notice(wire.truncated(batch), label)
                elif not (push and push(batch)):
                    for event in batch:
                        await self.send_text(wire.socket_text(event, label))

    def _push(self, label: str | None) -> Push | None:
        """Write events without waiting, where the server lets us; not to who is slow to read."""
        write: Callable[[bytes], bool] | None = self.scope.get("extensions", {}).get(FRAMES)
        if write is None:
            return None
        return lambda events: write(b"".join([wire.socket_frame(event, label) for event in events]))

    def opening(self, stream: str, last_id: str) -> dict[str, object]:
        return wire.connected(last_id)

    async def send_notice(self, notice: dict[str, object], label: str | None = None) -> None:
        await self.send_text(wire.notice_text(notice, label))

    async def send_text(self, text: str) -> None:
        await self.base_send({"type": "websocket.send", "text": text})

    @property
    def query(self) -> dict[str, str]:
        return {
            name: values[0]
            for name, values in parse_qs(self.scope["query_string"].decode("latin-1")).items()
        }


class FollowConsumer(StreamConsumer):
    """One topic, named by the path: `as_asgi(stream="project:{project}")`.

    `subjects_in` is the parameter of the query that narrows it to what is about these: `a,b`.
    """

    forwarding: asyncio.Task[None] | None = None

    def __init__(
        self,
        *,
        stream: str,
        only: Filter = EVERYTHING,
        subjects_in: str | None = None,
        present_state: PresentState | None = None,
    ) -> None:
        super().__init__()
        self.stream = stream
        self.only = only
        self.subjects_in = subjects_in
        self.present_state = present_state
        self.last_seen: str | None = None

    async def connect(self) -> None:
        # A server may forget the headers of who is let in.
        self.last_seen = self._header(b"last-event-id")
        await super().connect()

    async def open(self) -> None:
        self.forwarding = asyncio.create_task(self.follow())

    def leave(self) -> None:
        if self.forwarding:
            self.forwarding.cancel()

    async def follow(self) -> None:
        try:
            stream = self.stream.format_map(self.scope["url_route"]["kwargs"])
            after = wire.cursor(self.last_seen, self.query.get("since"))
            await self.forward(stream, after=after, only=self._wanted(), label=None)
        except OSError:
            return  # the client has gone, and the disconnect is on its way
        except tuple(ENDINGS) as error:
            await self.close(_ending(error)[0], str(error))
        except Exception:
            logger.exception("socket.failed")
            await self.close(CloseCode.FAILED)
        else:
            await self.close(CloseCode.DONE)

    def _wanted(self) -> Filter:
        named = self.query.get(self.subjects_in, "") if self.subjects_in else ""
        subjects = frozenset(name for name in named.split(",") if name)
        return replace(self.only, subjects=subjects) if subjects else self.only

    def _header(self, name: bytes) -> str | None:
        return next(
            (value.decode("latin-1") for key, value in self.scope["headers"] if key == name), None
        )


class ManyStreamsConsumer(StreamConsumer):
    """Many topics on one socket, by commands. A bad command is answered and never closes it."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        await self.send_notice({**wire.connected(""), "lastEventId": None})

    def leave(self) -> None:
        for task in self.streams.values():
            task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.scope.get("refusal"):
            return
        if text_data is None or len(text_data) > LARGEST_COMMAND:
            await self.send_error("bad_command", "A command is a JSON text of at most 64 KiB")
            return
        try:
            command = read_command(text_data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(map(str, first["loc"]))
            await self.send_error("bad_command", f"{place}: {first['msg']}".removeprefix(": "))
            return
        match command:
            case Subscribe():
                await self.subscribe(command)
            case Unsubscribe():
                await self.unsubscribe(command.stream)
            case Ping():
                await self.send_notice({"type": "pong"})
            case _:
                assert_never(command)

    async def subscribe(self, command: Subscribe) -> None:
        stream = command.stream
        if stream in self.streams:
            await self.send_error("already_subscribed", "This stream is open already", stream)
        elif len(self.streams) >= MOST_STREAMS:
            await self.send_error("too_many_streams", f"At most {MOST_STREAMS} at a time", stream)
        else:
            self.streams[stream] = asyncio.create_task(self.follow(command))

    async def unsubscribe(self, stream: str) -> None:
        task = self.streams.pop(stream, None)
        if task is None:
            await self.send_error("not_subscribed", "This stream is not open", stream)
            return
        task.cancel()
        await asyncio.wait([task])
        await self.send_notice({"type": "unsubscribed", "stream": stream})

    async def follow(self, command: Subscribe) -> None:
        stream = command.stream
        try:
            after = seq_of(command.since) if command.since else topics.beginning(stream)
            await self.forward(stream, after=after, only=command.only, label=stream)
            await self.send_notice({"type": "unsubscribed", "stream": stream})
        except OSError:
            return  # the client has gone, and the disconnect is on its way
        except (HubClosed, LeaveEnded) as error:
            await self.close(_ending(error)[0], str(error))
        except tuple(ENDINGS) as error:
            await self.send_error(_ending(error)[1], _reason(error), stream)
        except Exception:
            logger.exception("socket.failed", stream=stream)
            await self.send_error("failed", "The stream broke off", stream)
        finally:
            if self.streams.get(stream) is asyncio.current_task():
                del self.streams[stream]

    def opening(self, stream: str, last_id: str) -> dict[str, object]:
        return {"type": "subscribed", "stream": stream, "lastEventId": last_id}

    async def send_error(self, code: str, error: str, stream: str | None = None) -> None:
        notice: dict[str, object] = {"type": "error", "code": code, "error": error}
        await self.send_notice({**notice, "stream": stream} if stream else notice)


class NoSuchStream(StreamConsumer):
    """Every path that names no stream."""

    async def open(self) -> None:
        await self.close(CloseCode.NO_SUCH_STREAM, str(TopicUnknown()))

    def leave(self) -> None:
        pass


def _ending(error: Exception) -> tuple[CloseCode, str]:
    return next(ending for kind, ending in ENDINGS.items() if isinstance(error, kind))


def _reason(error: Exception) -> str:
    # What a database says of itself is not for clients.
    return str(error) if isinstance(error, StreamingError) else "Try again"
