"""Workers and web servers killed at random under a workflow: each of its nodes acts once.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long).
"""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.clients import Json, eventually
from tests.faults.site import Site
from tests.faults.tools import TABLES
from tests.servers import Server
from tests.services import GivenRedis, RedisServer

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
KILLS = 10 if IS_LONG else 2
# Short ones leave a kill no time between the nodes.
NODE_MS = 400 if IS_LONG else 150
MAPPED = 10
ENDED_WITHIN_S = 400
SEED = 6

pytestmark = [pytest.mark.timeout(600), pytest.mark.processes]


def note(node_id: str, *needs: str) -> Json:
    return _tool(node_id, "note", *needs)


def post(node_id: str, *needs: str) -> Json:
    return _tool(node_id, "post", *needs)


def _tool(node_id: str, tool: str, *needs: str) -> Json:
    arguments = {"ms": NODE_MS}
    return {
        "id": node_id,
        "kind": "tool",
        "tool": tool,
        "arguments": arguments,
        "needs": list(needs),
        "retry": {"attempts": 3, "wait_s": 0.1},
    }


def ask(node_id: str, *needs: str) -> Json:
    script = [{"say": f"{node_id} stands. ", "pieces": 5, "every_ms": NODE_MS / 5}]
    return {
        "id": node_id,
        "kind": "agent",
        "agent": "scripted",
        "prompt": node_id,
        "metadata": {"script": script},
        "needs": list(needs),
    }


# Four layers of work, a branch, a map, an approval, and four layers more.
NODES: list[Json] = [
    note("begin"),
    *(note(f"dig_{side}", "begin") for side in "nesw"),
    *(post(f"stone_{side}", f"dig_{side}") for side in "nesw"),
    *(ask(f"wall_{side}", f"stone_{side}") for side in "nesw"),
    {
        "id": "which",
        "kind": "branch",
        "on": "{{ nodes.wall_n.output.text }}",
        "cases": [{"contains": "stands", "then": ["roof"]}],
        "otherwise": ["tear_down"],
        "needs": ["wall_e", "wall_s", "wall_w"],
    },
    note("tear_down"),
    post("clear_up", "tear_down"),
    post("roof"),
    {
        "id": "floors",
        "kind": "map",
        "over": list(range(MAPPED)),
        "at_once": 4,
        "needs": ["roof"],
        "each": {"kind": "tool", "tool": "post", "arguments": {"ms": NODE_MS}},
    },
    {"id": "inspect", "kind": "approval", "question": "Does it stand?", "needs": ["floors"]},
    *(note(f"paint_{side}", "inspect") for side in "nesw"),
    *(post(f"window_{side}", f"paint_{side}") for side in "nesw"),
    ask("praise", *(f"window_{side}" for side in "nesw")),
    note("sign", "praise"),
    note("end", "sign", "clear_up"),
]
SKIPPED = {"tear_down", "clear_up"}
ACTING = {node["id"] for node in NODES if node["kind"] == "tool"} - SKIPPED
ASKED = {node["id"] for node in NODES if node["kind"] == "agent"}


@pytest.fixture
def site(tmp_path: Path, redis_server: RedisServer | GivenRedis) -> Iterator[Site]:
    server = Server(is_local=True)
    variables = {
        "DATABASE_URL": server.database_url,
        "REDIS_URL": redis_server.url,
        "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
    }
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        connection.execute(TABLES.encode())
    site = Site(tmp_path, server.database_url, **variables)
    yield site
    site.close()
    server.discard()


class Watched:
    """A run of the workflow, and everything that a follower of it hears."""

    def __init__(self, site: Site, client: httpx.AsyncClient) -> None:
        self.site = site
        self.client = client
        self.frames: list[Json] = []
        self.approved = False

    async def start(self) -> None:
        definition = {"name": "tower", "nodes": NODES}
        address = "/api/projects/default/workflows"
        assert (await self.client.post(address, json=definition)).status_code == 201
        answer = await self.client.post(f"{address}/tower/runs", json={"input": {}})
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["run"]["id"]
        self.address = f"/api/projects/default/workflow-runs/{self.id}"

    @property
    def status(self) -> str:
        told = [frame["workflow"]["status"] for frame in self.frames if "workflow" in frame]
        return told[-1] if told else "queued"

    def has_ended(self, many: float) -> bool:
        """So many of the nodes and items."""
        ended = ("completed", "skipped")
        return sum(frame.get("node", {}).get("state") in ended for frame in self.frames) >= many

    async def follow(self) -> None:
        """On from where it was, whenever the server is killed."""
        while self.status != "completed":
            try:
                await self._listen()
            except (OSError, WebSocketException):
                await asyncio.sleep(0.1)

    async def _listen(self) -> None:
        async with connect(f"ws://127.0.0.1:{self.site.port}/api/stream") as socket:
            since = self.frames[-1]["id"] if self.frames else "0"
            wanted = {"action": "subscribe", "stream": f"workflow-run:{self.id}", "since": since}
            await socket.send(json.dumps(wanted))
            while self.status != "completed":
                frame = json.loads(await socket.recv())
                assert frame["type"] != "error", frame
                assert self.status != "failed", frame
                if "seq" in frame:
                    self.frames.append(frame)

    async def approve(self) -> None:
        """Again, where the server was killed before it answered; the second time is too late."""
        await eventually(lambda: self.status == "waiting", within_s=ENDED_WITHIN_S)
        while not self.approved:
            try:
                answer = await self.client.post(f"{self.address}/nodes/inspect/approve", json={})
            except httpx.TransportError:
                await asyncio.sleep(0.2)
                continue
            assert answer.status_code in {200, 409}, answer.text
            self.approved = True

    async def get(self, path: str = "") -> Any:
        answer = await self.client.get(f"{self.address}{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_each_node_acts_once_while_workers_and_web_are_killed(site: Site) -> None:
    """Two processes: a web server with a worker inside, and a worker."""
    await asyncio.to_thread(site.open)
    await asyncio.to_thread(site.add_worker)
    url = f"http://127.0.0.1:{site.port}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        run = Watched(site, client)
        await run.start()
        async with asyncio.timeout(ENDED_WITHIN_S), asyncio.TaskGroup() as doing:
            doing.create_task(run.follow())
            doing.create_task(run.approve())
            doing.create_task(kill_at_random(site, run))
        await check(run)


async def kill_at_random(site: Site, run: Watched) -> None:
    """Spread over the run: one process after the other, and no moment is like another."""
    chance = random.Random(SEED)
    total = len(NODES) + MAPPED
    for number in range(KILLS):
        due = total * (number + 0.5) / (KILLS + 1)
        await eventually(partial(run.has_ended, due), within_s=ENDED_WITHIN_S)
        await asyncio.sleep(chance.uniform(0, 2 * NODE_MS / 1000))
        if number % 2:
            assert site.web
            await asyncio.to_thread(site.web.stop, signal.SIGKILL)
            await asyncio.to_thread(site.open)
        else:
            await asyncio.to_thread(site.workers.pop().stop, signal.SIGKILL)
            await asyncio.to_thread(site.add_worker)


async def check(run: Watched) -> None:
    done = (await run.get())["run"]
    assert done["status"] == "completed"
    assert len(done["nodes"]) == 30
    states = {node["id"]: node["state"] for node in done["nodes"]}
    assert {name for name, state in states.items() if state != "completed"} == SKIPPED
    check_effects(run.site)
    told = await run.get("/events?since=0")
    assert not told["has_more"]
    assert [{**frame, "stream": f"workflow-run:{run.id}"} for frame in told["items"]] == run.frames
    assert [frame["seq"] for frame in run.frames] == list(range(1, len(run.frames) + 1))
    check_story(run.frames)


def check_effects(site: Site) -> None:
    effects = Counter(site.rows("SELECT node, item FROM effects"))
    wanted = [(name, None) for name in ACTING] + [("floors", place) for place in range(MAPPED)]
    assert effects == Counter(wanted)
    agents = site.rows("SELECT prompt, status FROM agents_agentrun")
    assert sorted(agents) == sorted((name, "completed") for name in ASKED)


def check_story(frames: list[Json]) -> None:
    """Of every node: it is begun, and ends once, and what it needs has ended before."""
    ended: list[str] = []
    needs = {node["id"]: node.get("needs", []) for node in NODES}
    for frame in frames:
        node = frame.get("node")
        if node is None or node["item"] is not None:
            continue
        if node["state"] in {"queued", "running", "waiting"}:
            assert {*needs[node["id"]]} <= {*ended}, frame
        if node["state"] in {"completed", "skipped"}:
            ended.append(node["id"])
    assert Counter(ended) == Counter(list(needs))
    items = [
        frame["node"]["item"]
        for frame in frames
        if frame.get("node", {}).get("id") == "floors" and frame["node"]["state"] == "completed"
    ]
    assert Counter(items) == Counter([None, *range(MAPPED)])
