"""Server-sent events as they come over the network, from the server of `up`."""

import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pytest
from django.core.handlers.asgi import ASGIRequest

from agentpipe.connections import Connection
from streaming import hub
from streaming.events import seq_of
from tests.agentpipe.test_sockets import Door
from tests.clients import DEADLINE_S, Api, eventually
from tests.streaming.lab import atell
from tests.streaming.test_sockets import topic_of

# More than the kernel takes for one who does not read.
MUCH = 64 * 1024


@pytest.fixture
async def door(api: Api, key: str) -> AsyncIterator[Door]:
    door = Door(key)
    await door.open()
    yield door
    await door.close()


class Reader:
    """The numbers of events, as they come."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.lines = answer.aiter_lines()

    async def hear(self, *, until: int) -> list[int]:
        heard: list[int] = []
        async for line in self.lines:
            if line.startswith("id: "):
                heard.append(seq_of(line.removeprefix("id: ")))
            elif not line and heard and heard[-1] >= until:
                break
        return heard


@asynccontextmanager
async def following(door: Door, conversation: str) -> AsyncIterator[Reader]:
    address = f"http://127.0.0.1:{door.port}/api/realtime/stream"
    # Who is slow to read is soon held up.
    transport = httpx.AsyncHTTPTransport(
        socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, MUCH)]
    )
    async with (
        httpx.AsyncClient(transport=transport, timeout=DEADLINE_S) as client,
        client.stream(
            "GET",
            address,
            params={"conversationId": conversation, "since": "0"},
            headers={"Authorization": f"Bearer {door.key}"},
        ) as answer,
    ):
        assert answer.status_code == 200
        yield Reader(answer)


def connections(door: Door) -> list[Connection]:
    found: set[object] = set(door.server.server_state.connections)
    return [one for one in found if isinstance(one, Connection)]


async def test_everything_comes_once_and_in_order(door: Door, api: Api) -> None:
    conversation = await api.start()
    topic = await topic_of(conversation)
    async with following(door, conversation) as reader:
        assert "content-length" not in reader.answer.headers
        assert await reader.hear(until=1) == [1]
        for number in range(2, 12):
            await atell(topic, numbers=range(1), kind="log.entry", padding=str(uuid4()))
            assert await reader.hear(until=number) == [number]


async def test_who_is_slow_to_read_holds_little_and_has_everything_once_and_in_order(
    door: Door, api: Api
) -> None:
    conversation = await api.start()
    topic = await topic_of(conversation)
    async with following(door, conversation) as reader:
        assert await reader.hear(until=1) == [1]
        told = 1
        (connection,) = connections(door)
        ring = hub.of_this_process().rings[topic]
        while not connection.flow.write_paused:
            await atell(topic, numbers=range(16), kind="log.entry", padding="x" * MUCH)
            told += 16
        for _ in range(2):
            await atell(topic, numbers=range(16), kind="log.entry", padding="x" * MUCH)
            told += 16
            await eventually(lambda told=told: ring.last == told)  # type: ignore[misc]
        assert connection.transport.get_write_buffer_size() < 4 * MUCH
        assert await reader.hear(until=told) == list(range(2, told + 1))


async def test_a_stream_ends_with_its_topic(door: Door, api: Api) -> None:
    conversation = await api.start()
    async with following(door, conversation) as reader:
        await atell(await topic_of(conversation), numbers=range(1), kind="log.entry", is_final=True)
        assert await reader.hear(until=9) == [1, 2]
    await door.is_empty()


async def test_who_leaves_leaves_nothing_behind(door: Door, api: Api) -> None:
    async with following(door, await api.start()) as reader:
        await reader.hear(until=1)
        assert door.server.server_state.tasks
    await door.is_empty()


async def test_nothing_is_kept_of_a_request_whose_stream_goes_on(door: Door, api: Api) -> None:
    async with following(door, await api.start()) as reader:
        await reader.hear(until=1)

        def has_gone() -> bool:
            gc.collect()
            return not any(type(one) is ASGIRequest for one in gc.get_objects())

        await eventually(has_gone)
