"""A day of a busy site in ten minutes: everything is there in the end, and nothing has piled up.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long).
"""

import asyncio
import json
import logging
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from websockets.asyncio.client import connect

from tests.clients import Json, said, started
from tests.faults.topology import Topology
from tests.faults.traffic import HEADERS, traffic
from tests.servers import Server
from tests.services import GivenRedis, RedisServer

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
SECONDS = float(os.environ.get("AGENTPIPE_SOAK_S", 600 if IS_LONG else 6))
# Caches fill and pools open at first.
WARM_AFTER = 0.4
# What the second half may have above the first: a leak of a day's work is far more.
ALLOWED = {"MiB": 16.0 if IS_LONG else 48.0, "files": 20, "connections": 8}
READ_EVERY_S = 1.0

pytestmark = [
    pytest.mark.timeout(SECONDS + 600),
    pytest.mark.processes,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc"),
]

logger = logging.getLogger(__name__)

Chore = Callable[["Day"], Awaitable[None]]


@pytest.fixture
def site(tmp_path: Path, redis_server: RedisServer | GivenRedis) -> Iterator[Topology]:
    server = Server(is_local=False)
    site = Topology(
        tmp_path,
        webs=2,
        workers=2,
        database_url=server.database_url,
        redis_url=redis_server.url,
    )
    try:
        site.start()
        yield site
    finally:
        site.stop()
        server.discard()


class Day:
    """What people and tools do, each at any of the servers, over and over."""

    def __init__(self, urls: list[str], client: httpx.AsyncClient) -> None:
        self.urls = urls
        self.client = client
        self.chance = random.Random(24)
        self.done: dict[str, int] = {}

    @property
    def url(self) -> str:
        return self.chance.choice(self.urls)

    async def goes_on(self, chore: Chore, until: float) -> None:
        while time.monotonic() < until:
            await chore(self)
            self.done[chore.__name__] = self.done.get(chore.__name__, 0) + 1
            await asyncio.sleep(self.chance.random() / 10)

    async def post(self, path: str, body: object) -> Json:
        answer = await self.client.post(self.url + path, json=body)
        assert answer.status_code < 300, answer.text
        found: Json = answer.json()
        return found


async def batch_and_delete(day: Day) -> None:
    conversation = str(uuid4())
    events: list[Json] = [{"type": "conversation.started", "data": started(conversation)}]
    events += [
        {"type": "message.created", "data": said(conversation, f"stone {number} " * 20)}
        for number in range(30)
    ]
    assert (await day.post("/api/ingest/batch", events))["rejected"] == 0
    address = f"{day.url}/api/conversations/{conversation}"
    assert (await day.client.get(f"{address}/messages")).json()["total"] == 30
    assert (await day.client.delete(address)).status_code == 200


async def chat(day: Day) -> None:
    opened = await day.post("/api/users/ada/chats", {"agent_id": "scripted"})
    script = [{"say": "stone upon stone " * 10, "pieces": 40, "every_ms": 5}]
    question = {"content": "Build", "metadata": {"script": script}}
    asked = await day.post(f"/api/chats/{opened['chat_id']}/messages", question)
    text, kind = "", ""
    async with day.client.stream("GET", day.url + asked["stream_url"]) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                step = json.loads(line[6:])
                text, kind = text + step.get("md", ""), step["type"]
    assert (text, kind) == ("stone upon stone " * 10, "end")


async def come_and_go(day: Day) -> None:
    """By a socket and by server-sent events, and away again in the middle."""
    address = day.url.replace("http", "ws", 1)
    async with connect(
        f"{address}/api/stream/projects/default?since=0", additional_headers=HEADERS
    ) as socket:
        for _ in range(day.chance.randint(1, 30)):
            await socket.recv()
    stream = f"{day.url}/api/realtime/stream?since=0"
    async with day.client.stream("GET", stream) as answer:
        async for _ in answer.aiter_lines():
            if day.chance.random() < 0.05:
                return


async def import_a_file(day: Day) -> None:
    conversation = str(uuid4())
    events: list[Json] = [{"type": "conversation.started", "data": started(conversation)}]
    events += [{"type": "message.created", "data": said(conversation, "stone")} for _ in range(50)]
    jobs = f"{day.url}/api/projects/default/ingest/jobs"
    body = "\n".join(map(json.dumps, events))
    headers = {"Content-Type": "application/x-ndjson"}
    job = (await day.client.post(jobs, content=body, headers=headers)).json()["job"]
    while job["status"] in {"queued", "running"}:
        await asyncio.sleep(0.1)
        job = (await day.client.get(f"{jobs}/{job['id']}")).json()["job"]
    assert (job["status"], job["new"], job["failed"]) == ("completed", 51, 0)
    gone = await day.client.delete(f"{day.url}/api/conversations/{conversation}")
    assert gone.status_code == 200


async def look(day: Day) -> None:
    for path in ("/api/conversations?q=stone", "/api/metrics/summary?range=24h", "/metrics"):
        assert (await day.client.get(day.url + path)).status_code == 200


CHORES: list[Chore] = [batch_and_delete, chat, come_and_go, come_and_go, import_a_file, look]


async def test_nothing_piles_up_over_a_busy_day(site: Topology) -> None:
    limits = httpx.Limits(max_connections=None)
    async with (
        traffic(site.urls) as going_on,
        httpx.AsyncClient(headers=HEADERS, timeout=60, limits=limits) as client,
    ):
        day, meter = Day(site.urls, client), Meter(site)
        async with asyncio.TaskGroup() as group:
            began = time.monotonic()
            for chore in CHORES:
                group.create_task(day.goes_on(chore, began + SECONDS))
            await asyncio.sleep(SECONDS * WARM_AFTER)
            half_time = began + SECONDS * (1 + WARM_AFTER) / 2
            first = await meter.highest(until=half_time)
            second = await meter.highest(until=began + SECONDS)
        await going_on.grows(1)

    logger.info("%s, %d messages followed", day.done, len(going_on.acknowledged))
    assert set(day.done) == {chore.__name__ for chore in CHORES}
    for name, then in first.items():
        now = second[name]
        logger.info("%s: %s, then %s", name, then, now)
        for what, growth in ALLOWED.items():
            assert now.get(what, 0) < then.get(what, 0) + growth, (name, then, now)


class Meter:
    """Of each process, and of the database they share."""

    def __init__(self, site: Topology) -> None:
        self.site = site

    async def highest(self, *, until: float) -> dict[str, dict[str, float]]:
        seen: dict[str, dict[str, float]] = {}
        while not seen or time.monotonic() < until:
            for name, reading in (await asyncio.to_thread(self._read)).items():
                before = seen.setdefault(name, reading)
                seen[name] = {what: max(before[what], now) for what, now in reading.items()}
            await asyncio.sleep(READ_EVERY_S)
        return seen

    def _read(self) -> dict[str, dict[str, float]]:
        found = {name: of_process(self.site.running[name].process.pid) for name in self.site.ports}
        with psycopg.connect(self.site.database_url) as connection:
            row = connection.execute(
                "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"
            ).fetchone()
        assert row
        return {**found, "database": {"connections": row[0]}}


def of_process(pid: int) -> dict[str, float]:
    place = Path("/proc", str(pid))
    lines = (place / "status").read_text().splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("RssAnon:"))
    return {"MiB": round(int(kib) / 1024, 1), "files": len(list((place / "fd").iterdir()))}
