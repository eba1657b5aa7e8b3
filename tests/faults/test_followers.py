"""Followers that come and go while writers write and Redis dies: each ends with exactly the log.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long).
"""

import asyncio
import os
import random
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from tests.clients import Api, Json, Socket, Sse, sse
from tests.services import GivenRedis, RedisServer
from tests.streaming.layers import named

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
FOLLOWERS = 50 if IS_LONG else 16
MESSAGES = 100 if IS_LONG else 12
WRITERS = 8

pytestmark = pytest.mark.processes


class Reader:
    """Follows one conversation over SSE or a socket; a restless one leaves and comes back."""

    def __init__(self, number: int, conversation: str, key: str) -> None:
        self.conversation = conversation
        self.key = key
        self.by_socket = number % 2 == 0
        self.is_restless = number % 4 >= 2
        self.chance = random.Random(number)
        self.seen: list[str] = []
        self.last_id = "0"
        self.visits = 0

    async def read(self, until: str) -> None:
        while self.seen[-1:] != [until]:
            self.visits += 1
            patience = self.chance.randint(1, 20) if self.is_restless else 10**9
            async with self._stream() as stream:
                await self._visit(stream, patience, until)

    def _stream(self) -> Any:
        if self.by_socket:
            address = f"/api/stream/conversations/{self.conversation}?since={self.last_id}"
            return Socket(address, key=self.key)
        query: Json = {"conversationId": self.conversation, "since": self.last_id}
        return sse("/api/realtime/stream", key=self.key, **query)

    async def _visit(self, stream: Sse | Socket, patience: int, until: str) -> None:
        while patience:
            frame = await stream.frame(within_s=60)
            if frame["type"] == "connected":
                self.last_id = frame["lastEventId"]
                continue
            patience -= 1
            self.last_id = frame["id"] if self.by_socket else frame["$id"]
            self.seen.append(_content(frame))
            if self.seen[-1] == until:
                return


def _content(frame: Json) -> str:
    data = frame["data"]
    return str(data["message"]["content"] if "message" in data else data["mode"])


async def follow_through(api: Api, key: str, *, meanwhile: Any) -> None:
    """Readers follow, writers write, `meanwhile` happens; then all must have the log."""
    conversation = await api.start(mode="start")
    readers = [Reader(number, conversation, key) for number in range(FOLLOWERS)]

    async def write(writer: int) -> None:
        chance = random.Random(writer)
        for number in range(MESSAGES):
            await api.say(conversation, f"{writer}/{number}")
            await asyncio.sleep(chance.random() * 0.02)

    async with asyncio.timeout(600 if IS_LONG else 170):
        reading = [asyncio.create_task(reader.read("the end")) for reader in readers]
        trouble = asyncio.create_task(meanwhile())
        await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
        await trouble
        await api.say(conversation, "the end")
        await asyncio.gather(*reading)

    log = await whole_log(api, conversation)
    assert len(log) == 1 + WRITERS * MESSAGES + 1
    for reader in readers:
        assert reader.seen == log
    assert any(reader.visits > 2 for reader in readers)


async def whole_log(api: Api, conversation: str) -> list[str]:
    found: list[Json] = []
    since = "0"
    while True:
        query = {"since": since, "page_size": "100"}
        answer = await api.get(f"/api/conversations/{conversation}/events", params=query)
        page = answer.json()
        found += page["items"]
        if not page["has_more"]:
            assert [frame["seq"] for frame in found] == list(range(1, len(found) + 1))
            return [_content(frame) for frame in found]
        since = page["items"][-1]["id"]


async def test_everyone_ends_with_the_log_in_one_process(api: Api, key: str) -> None:
    async def nothing() -> None:
        return

    await follow_through(api, key, meanwhile=nothing)


async def test_everyone_ends_with_the_log_while_the_layer_loses_and_repeats(
    settings: Settings, api: Api, key: str
) -> None:
    settings.CHANNEL_LAYERS = named("NaughtyLayer")

    async def nothing() -> None:
        return

    await follow_through(api, key, meanwhile=nothing)


async def test_everyone_ends_with_the_log_while_redis_restarts_and_loses_messages(
    redis_server: RedisServer | GivenRedis, settings: Settings, api: Api, key: str
) -> None:
    if isinstance(redis_server, GivenRedis):
        pytest.skip("a Redis that was given is not for us to restart")
    settings.CHANNEL_LAYERS = named("LossyRedisLayer", hosts=[redis_server.url])

    async def restart_twice() -> None:
        for _ in range(2):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(redis_server.kill)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(redis_server.start)

    await follow_through(api, key, meanwhile=restart_twice)
