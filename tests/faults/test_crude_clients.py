"""Clients that are slow, half gone, too many or up to no good, at a server with real sockets.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long).
"""

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from channels.db import database_sync_to_async
from pytest_django.fixtures import Settings
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from agentpipe import connections, server
from conversations.models import Project
from conversations.services import make_key
from tests.clients import Api, Sse, eventually, said, sse
from tests.prepared import ROOT
from tests.services import free_port

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
CONNECTIONS = 2_000 if IS_LONG else 200
ROUNDS = 10 if IS_LONG else 1
MEGABYTES = 200 if IS_LONG else 2
SYSTEM_KEEPS_BYTES = 64 * 1024
# What a connection may hold of what nobody takes.
HELD_BYTES = 512 * 1024

pytestmark = [pytest.mark.timeout(600), pytest.mark.processes]

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Drip = Callable[[asyncio.StreamWriter, str], Awaitable[None]]


class Door:
    """The server of `up`, in this process."""

    def __init__(self) -> None:
        self.port = free_port()
        self.ready = asyncio.Event()
        self.server = server.Server(server.configuration(), self.ready.set)

    async def open(self) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SYSTEM_KEEPS_BYTES)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(2048)
        self.serving = asyncio.create_task(self.server.serve(sockets=[listening]))
        await self.ready.wait()

    async def close(self) -> None:
        self.server.should_exit = True
        await self.serving

    async def knock(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def come_and_read_nothing(self, wanted: bytes) -> socket.socket:
        """As one that has stopped; what the system keeps for it is little."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SYSTEM_KEEPS_BYTES)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", self.port))
        await loop.sock_sendall(client, wanted)
        # The first line of the answer: the stream is open.
        await loop.sock_recv(client, 10)
        return client

    async def due_at(self) -> float:
        """When the body of the one who is here has to be whole."""
        found: list[Any] = []

        def has_come() -> bool:
            found[:] = self.server.server_state.connections
            return len(found) == 1 and found[0].head_length is None

        await eventually(has_come)
        return float(found[0].deadline)

    def is_due_at(self, moment: float) -> bool:
        here: list[Any] = list(self.server.server_state.connections)
        return bool(here[0].deadline == pytest.approx(moment, abs=0.001))

    async def is_empty(self) -> None:
        """Wait until nothing is left of those who have gone."""
        state = self.server.server_state
        await eventually(lambda: not state.connections and not state.tasks)


@pytest.fixture
async def door(api: Api) -> AsyncIterator[Door]:
    door = Door()
    await door.open()
    yield door
    await door.close()


@pytest.fixture
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.5)
    monkeypatch.setattr(connections, "BODY_WITHIN_S", 0.5)


def head(key: str, length: int) -> bytes:
    lines = ["POST /api/ingest HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}"]
    lines += ["Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


async def say_nothing(writer: asyncio.StreamWriter, key: str) -> None:
    return


async def begin_a_head(writer: asyncio.StreamWriter, key: str) -> None:
    writer.write(head(key, 1_000)[:-2])


async def drip_a_head(writer: asyncio.StreamWriter, key: str) -> None:
    writer.write(head(key, 1_000)[:-2])
    while not writer.is_closing():
        await asyncio.sleep(0.05)
        writer.write(b"X-More: yes\r\n")


async def begin_a_body(writer: asyncio.StreamWriter, key: str) -> None:
    writer.write(head(key, 1_000) + b'{"type":')


async def drip_a_body(writer: asyncio.StreamWriter, key: str) -> None:
    writer.write(head(key, 1_000_000))
    while not writer.is_closing():
        await asyncio.sleep(0.05)
        writer.write(b" ")


DRIPS = [say_nothing, begin_a_head, drip_a_head, begin_a_body, drip_a_body]


@pytest.mark.usefixtures("_short_patience")
async def test_whoever_does_not_come_to_the_point_is_let_go(door: Door, key: str) -> None:
    came = [await door.knock() for _ in DRIPS]
    dripping = [
        asyncio.create_task(drip(writer, key))
        for drip, (_, writer) in zip(DRIPS, came, strict=True)
    ]
    async with asyncio.timeout(60):
        for reader, writer in came:
            await sent_away(reader)
            writer.transport.abort()
        await asyncio.gather(*dripping, return_exceptions=True)
    await door.is_empty()


async def sent_away(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionResetError):
        await reader.read()


async def test_a_body_that_comes_at_a_walking_pace_is_waited_for(
    door: Door, api: Api, key: str
) -> None:
    conversation = await api.start()
    event = {"type": "message.created", "data": said(conversation, "x" * 400)}
    body = json.dumps(event).encode()
    reader, writer = await door.knock()
    writer.write(head(key, len(body)))
    for place in range(0, len(body), 100):
        due_at = await door.due_at()
        part = body[place : place + 100]
        writer.write(part)
        gained_s = len(part) / connections.SLOWEST_BODY_BYTES_A_S
        if place + 100 < len(body):
            await eventually(lambda: door.is_due_at(due_at + gained_s))  # noqa: B023 - it is awaited
    assert await reader.readline() == b"HTTP/1.1 201 Created\r\n"
    writer.close()


async def test_headers_without_end_are_refused(door: Door, key: str) -> None:
    _, writer = await door.knock()
    writer.write(head(key, 0)[:-2] + b"X-Endless: ")
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        await pour(writer)
    writer.transport.abort()
    await door.is_empty()


async def pour(writer: asyncio.StreamWriter) -> None:
    for _ in range(64):
        writer.write(b"x" * 1024 * 1024)
        await writer.drain()


async def test_whoever_closes_one_half_leaves_nothing_behind(
    door: Door, api: Api, key: str
) -> None:
    conversation = await api.start()
    body = json.dumps({"type": "message.created", "data": said(conversation, "Bye")}).encode()
    request = f"GET /api/realtime/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}"
    for sent in (head(key, len(body)) + body, head(key, 900) + b"{", f"{request}\r\n\r\n".encode()):
        reader, writer = await door.knock()
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(60):
            await reader.read()
        writer.close()
    await door.is_empty()
    # What was whole when the other half was closed counts as sent.
    assert [message["content"] for message in await api.messages(conversation)] == ["Bye"]


async def test_a_socket_that_answers_no_ping_is_closed(
    api: Api, key: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STREAM_HEARTBEAT_S = 0.2
    monkeypatch.setattr(server, "PING_TIMEOUT_S", 0.5)
    door = Door()
    await door.open()
    try:
        reader, writer = await door.knock()
        writer.write(handshake(key, "/api/stream"))
        async with asyncio.timeout(60):
            while await reader.read(1_000):
                pass
        writer.close()
        await door.is_empty()
    finally:
        await door.close()


def handshake(key: str, path: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket"]
    lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + "A" * 22]
    lines[-1] += "=="
    lines += [f"Authorization: Bearer {key}"] if key else []
    return "\r\n".join([*lines, "", ""]).encode()


async def test_those_who_never_read_cost_others_nothing_and_little_memory(
    door: Door, api: Api, key: str
) -> None:
    conversation = await api.start()
    stream = f"GET /api/realtime/stream?conversationId={conversation} HTTP/1.1\r\nHost: localhost"
    for_sse = f"{stream}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    for_socket = handshake(key, f"/api/stream/conversations/{conversation}")
    crude = [await door.come_and_read_nothing(wanted) for wanted in (for_sse, for_socket) * 2]
    contents = [str(number) + "x" * 100_000 for number in range(10 * MEGABYTES)]

    async with sse("/api/realtime/stream", key=key, conversationId=conversation) as others:
        await others.frame()
        hearing = asyncio.create_task(hear(others, len(contents)))
        for content in contents:
            await api.say(conversation, content)
        assert await hearing == contents

    stuck: list[Any] = list(door.server.server_state.connections)
    assert len(stuck) == len(crude)
    for connection in stuck:
        assert 0 < connection.transport.get_write_buffer_size() < HELD_BYTES
    for client in crude:
        client.close()
    await door.is_empty()


async def hear(stream: Sse, count: int) -> list[str]:
    return [(await stream.frame())["data"]["message"]["content"] for _ in range(count)]


async def test_a_flood_of_connections_keeps_nobody_else_out(door: Door, api: Api, key: str) -> None:
    conversation = await api.start()

    def come() -> connect:
        return connect(
            f"ws://127.0.0.1:{door.port}/api/stream/conversations/{conversation}",
            additional_headers={"Authorization": f"Bearer {key}"},
        )

    async with come() as follower:
        await follower.recv()
        for _ in range(ROUNDS):
            async with flood(door.port, CONNECTIONS):
                await api.say(conversation, "Still here?")
                assert "Still here?" in await follower.recv()
                async with come() as newcomer:
                    assert await newcomer.recv()
    await door.is_empty()


@asynccontextmanager
async def flood(port: int, count: int) -> AsyncIterator[None]:
    """From outside, as fast as they can come."""
    command = [sys.executable, "-m", "tests.faults.flood", str(port), str(count)]
    source = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert source.stdin
    assert source.stdout
    assert await source.stdout.readline()
    yield
    source.stdin.close()
    await source.wait()


async def test_too_many_streams_of_one_key_leave_those_that_are_open(
    door: Door, api: Api, project: Project
) -> None:
    make = database_sync_to_async(make_key)
    _, key = await make(project, "follower", rates={"streams": "3/60"})
    conversation = await api.start()
    address = f"ws://127.0.0.1:{door.port}/api/stream/conversations/{conversation}"
    headers = {"Authorization": f"Bearer {key}"}
    opened = [await connect(address, additional_headers=headers) for _ in range(3)]
    for follower in opened:
        await follower.recv()
    for _ in range(20):
        async with connect(address, additional_headers=headers) as refused:
            with pytest.raises(ConnectionClosedError, match="4408"):
                await refused.recv()
    await api.say(conversation, "Still here?")
    for follower in opened:
        assert "Still here?" in await follower.recv()
        await follower.close()


def test_as_many_files_are_allowed_as_may_be() -> None:
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
    try:
        server.allow_many_connections()
        allowed, still_most = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (now, most))
    assert (allowed, still_most) == (min(most, server.MOST_FILES), most)
