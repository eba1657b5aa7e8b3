"""Two web servers and two workers whose processes end, one after the other and in every way.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long).
"""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psycopg
import pytest

from agentpipe.embedded import Postgres, address
from tests.clients import Json
from tests.faults.topology import Topology
from tests.faults.traffic import HEADERS, traffic
from tests.servers import Server, wait_for
from tests.services import GivenRedis, RedisServer, url_of

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
ROUNDS = 5 if IS_LONG else 1
FOLLOWERS_EACH = 20 if IS_LONG else 2
PIECES = 600 if IS_LONG else 300

pytestmark = [pytest.mark.timeout(900 if IS_LONG else 600), pytest.mark.processes]


class Site(Topology):
    """With a database that can be killed, too."""

    def __init__(self, folder: Path, redis_url: str, postgres: Postgres | None, url: str) -> None:
        super().__init__(folder, webs=2, workers=2, database_url=url, redis_url=redis_url)
        self.postgres = postgres

    def break_database(self) -> None:
        postgres = self.postgres
        if postgres:
            noted = postgres.data_dir / "postgres" / "postmaster.pid"
            os.kill(int(noted.read_text().split()[0]), signal.SIGKILL)
            wait_for(lambda: not postgres.is_running())
            postgres.start()
            return
        # As whoever is connected sees it: everything ends in the middle. Others use that server.
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="module")
def site(redis_server: RedisServer | GivenRedis) -> Iterator[Site]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="agentpipe-site-")))
        folder.chmod(0o711)  # under root, PostgreSQL is another user
        postgres = None
        if IS_LONG:
            # It is killed and the machine is not: what was committed must have left the process.
            postgres = Postgres(folder / "database", extra_settings={"fsync": "off"})
            postgres.start()
            stack.callback(postgres.stop)
            url = url_of(address(folder / "database"))
        else:
            server = Server(is_local=False)
            stack.callback(server.discard)
            url = server.database_url
        site = Site(folder, redis_server.url, postgres, url)
        stack.callback(site.stop)
        site.start()
        yield site


async def test_a_rolling_restart_loses_nothing_and_ends_no_run(site: Site) -> None:
    async with traffic(site.urls, followers_each=FOLLOWERS_EACH) as going_on:
        runs = [await begin_run(site.urls[1]) for _ in range(3)]
        for _ in range(ROUNDS):
            for name in site.ports if IS_LONG else ("worker-0", "web-0"):
                code, _, said = await asyncio.to_thread(site.restart, name)
                assert code == 0, said
    for follower in going_on.followers[:FOLLOWERS_EACH]:
        assert follower.visits > ROUNDS
    for run in runs:
        await check_run(site.urls[1], run)


async def test_whichever_process_is_killed_nothing_is_lost(site: Site) -> None:
    chance = random.Random(7)
    runs = [await begin_run(site.urls[0]) for _ in range(3)]
    async with traffic(site.urls, followers_each=FOLLOWERS_EACH) as going_on:
        for _ in range(ROUNDS):
            for kind in ("worker", "web"):
                name = f"{kind}-{chance.randrange(2)}"
                await going_on.grows()
                await asyncio.to_thread(site.kill, name)
                await going_on.grows()
                await asyncio.to_thread(site.start, name)
    assert sum(follower.visits > 1 for follower in going_on.followers) >= FOLLOWERS_EACH
    for run in runs:
        await check_run(site.urls[0], run)


@pytest.mark.parametrize("what", ["redis", "database"])
async def test_what_all_of_them_need_may_die(
    site: Site, redis_server: RedisServer | GivenRedis, what: str
) -> None:
    run = await begin_run(site.urls[0])
    kill: Callable[[], None] = redis_server.kill if what == "redis" else site.break_database
    async with traffic(site.urls, followers_each=FOLLOWERS_EACH) as going_on:
        for _ in range(ROUNDS):
            await going_on.grows()
            await asyncio.to_thread(kill)
            await going_on.grows()
            await asyncio.to_thread(redis_server.start)
            await going_on.grows()
    await check_run(site.urls[0], run)
    assert all(map(site.is_running, site.ports))


async def begin_run(url: str) -> str:
    text = "".join(f"stone {number} " for number in range(PIECES))
    script = [{"say": text, "pieces": PIECES, "every_ms": 20}]
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=30) as client:
        chat = (await client.post("/api/users/ada/chats", json={"agent_id": "scripted"})).json()
        asked = await client.post(
            f"/api/chats/{chat['chat_id']}/messages",
            json={"content": "Build", "metadata": {"script": script}},
        )
        return str(asked.json()["message_id"])


async def check_run(url: str, message_id: str) -> None:
    async with (
        httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=30) as client,
        asyncio.timeout(300),
    ):
        steps: list[Json] = []
        while not steps or steps[-1]["type"] != "end":
            steps = (await client.get(f"/api/messages/{message_id}/events")).json()
            await asyncio.sleep(0.2)
    said = "".join(step["md"] for step in steps if step["type"] == "content")
    assert said == "".join(f"stone {number} " for number in range(PIECES))
    assert steps[-1]["status"] == "completed"
