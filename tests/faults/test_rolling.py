"""The processes of a busy site restarted one after the other: nobody misses anything.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long).
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agentpipe_client import AsyncAgentPipe, Interruption, Message, Participant, Patience
from tests.clients import Json
from tests.faults.topology import Topology
from tests.servers import KEY, Server
from tests.services import GivenRedis, RedisServer

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
ROUNDS = 5 if IS_LONG else 1
FOLLOWERS_EACH = 20 if IS_LONG else 2
PIECES = 600
UNTIL_IT_IS_BACK = Patience(attempts=100, longest_wait_s=1)

pytestmark = [pytest.mark.timeout(900 if IS_LONG else 120), pytest.mark.processes]


@pytest.fixture
def topology(tmp_path: Path, redis_server: RedisServer | GivenRedis) -> Iterator[Topology]:
    server = Server(is_local=False)
    topology = Topology(
        tmp_path,
        webs=2,
        workers=2,
        database_url=server.database_url,
        redis_url=redis_server.url,
    )
    try:
        topology.start()
        yield topology
    finally:
        topology.stop()
        server.discard()


class Follower:
    """Follows a conversation, through every farewell of its server."""

    def __init__(self, url: str, conversation: str) -> None:
        self.pipe = AsyncAgentPipe(url, KEY)
        self.conversation = conversation
        self.seen: list[tuple[int | None, str]] = []
        self.farewells: list[Interruption] = []

    async def follow(self) -> None:
        stream = self.pipe.follow_conversation(
            self.conversation, since="0", on_interruption=self.farewells.append
        )
        async for event in stream:
            message: Json = event.data.get("message") or {}
            self.seen.append((event.seq, str(message.get("content", ""))))
            if self.seen[-1][1] == "the end":
                break
        await stream.aclose()
        await self.pipe.close()


async def test_a_rolling_restart_loses_nothing_and_ends_no_run(topology: Topology) -> None:
    first, second = topology.urls
    async with AsyncAgentPipe(first, KEY, patience=UNTIL_IT_IS_BACK) as pipe:
        conversation = await pipe.start_conversation(
            mode="reactive",
            initial_prompt="Restart",
            participants=[Participant(agent_id="mason", agent_name="Mason", agent_type="claude")],
        )
        followers = [
            Follower(url, conversation) for url in topology.urls for _ in range(FOLLOWERS_EACH)
        ]
        following = [asyncio.create_task(follower.follow()) for follower in followers]
        run = await _begin_run(second)
        over = asyncio.Event()
        writers = [
            asyncio.create_task(_write(url, conversation, name, over))
            for name, url in zip("ab", topology.urls, strict=True)
        ]

        for _ in range(ROUNDS):
            for name in topology.ports if IS_LONG else ("web-0", "worker-0"):
                code, _, said = await asyncio.to_thread(topology.restart, name)
                assert code == 0, said

        over.set()
        written = [content for writer in writers for content in await writer]
        await pipe.send_message(conversation, _message("the end"))
        async with asyncio.timeout(60):
            await asyncio.gather(*following)

    for follower in followers:
        assert [seq for seq, _ in follower.seen] == list(range(1, len(follower.seen) + 1))
        contents = [content for _, content in follower.seen if content]
        assert sorted(contents) == sorted([*written, "the end"])
    for follower in followers[:FOLLOWERS_EACH]:
        assert len(follower.farewells) >= ROUNDS
    await _check_run(second, run)


async def _write(url: str, conversation: str, name: str, over: asyncio.Event) -> list[str]:
    """What was acknowledged; a server that is away is waited for."""
    written: list[str] = []
    async with AsyncAgentPipe(url, KEY, patience=UNTIL_IT_IS_BACK) as pipe:
        while not over.is_set():
            content = f"{name}{len(written)}"
            await pipe.send_message(conversation, _message(content))
            written.append(content)
            await asyncio.sleep(0.02)
    return written


def _message(content: str) -> Message:
    return Message(agent_id="mason", agent_name="Mason", agent_type="claude", content=content)


async def _begin_run(url: str) -> str:
    text = "".join(f"stone {number} " for number in range(PIECES))
    script = [{"say": text, "pieces": PIECES, "every_ms": 20}]
    async with _client(url) as client:
        chat = (await client.post("/api/users/ada/chats", json={"agent_id": "scripted"})).json()
        asked = await client.post(
            f"/api/chats/{chat['chat_id']}/messages",
            json={"content": "Build", "metadata": {"script": script}},
        )
        return str(asked.json()["message_id"])


async def _check_run(url: str, message_id: str) -> None:
    async with _client(url) as client, asyncio.timeout(60):
        steps: list[Json] = []
        while not steps or steps[-1]["type"] != "end":
            steps = (await client.get(f"/api/messages/{message_id}/events")).json()
            await asyncio.sleep(0.2)
    said = "".join(step["md"] for step in steps if step["type"] == "content")
    assert said == "".join(f"stone {number} " for number in range(PIECES))
    assert steps[-1]["status"] == "completed"


def _client(url: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=30)
