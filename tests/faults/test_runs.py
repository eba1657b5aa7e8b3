"""Workers, servers, databases and Redis killed under running agents: every answer is whole.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long).
"""

import asyncio
import logging
import os
import random
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from agentpipe.embedded import address
from tests.agents.chatting import kinds, said
from tests.clients import Json
from tests.faults.questions import (
    ENDED_WITHIN_S,
    INPUT_TOKENS,
    PARTS,
    Asked,
    Given,
    at_length,
    by_socket,
    by_sse,
    modelled,
    number_of,
    scripted,
)
from tests.faults.site import Site
from tests.servers import Server
from tests.services import GivenRedis, RedisServer, url_of
from tests.vendors import FakeVendors

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
# Each kill comes at another moment of each of the runs, and all of them at the same in every run.
RUNS = 3
KILLS = 5 if IS_LONG else 1
KILLS_OF_WORKERS = 20 if IS_LONG else 1
LASTS_S = 2.5
PIECES = 1_500 if IS_LONG else 250
APART_S = 0.7
TAKEN_OVER_WITHIN_S = 120
# What is promised where a worker was killed, of a machine that has the time: the long form wants
# one. That nobody waits for longer by design, tests/agentpipe/test_rescue.py shows.
PROMISED_S = 15 if IS_LONG else TAKEN_OVER_WITHIN_S
# A worker that stops gives its jobs some seconds to end by themselves.
OUTLASTS_A_STOP_MS = 4_000

pytestmark = [pytest.mark.timeout(1_200 if IS_LONG else 600), pytest.mark.processes]

logger = logging.getLogger(__name__)


@pytest.fixture
def vendors() -> Iterator[FakeVendors]:
    with FakeVendors() as vendors:
        yield vendors


@pytest.fixture
def folder() -> Iterator[Path]:
    """Unlike tmp_path, other users may pass through it: under root, PostgreSQL is one."""
    with tempfile.TemporaryDirectory(prefix="agentpipe-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def site(
    tmp_path: Path, vendors: FakeVendors, redis_server: RedisServer | GivenRedis
) -> Iterator[Site]:
    """Over Redis, as several processes are meant to be run."""
    server = Server(is_local=True)
    variables = {"DATABASE_URL": server.database_url, "REDIS_URL": redis_server.url}
    site = Site(tmp_path, server.database_url, **variables, **vendors.settings)
    site.note_writing()
    yield site
    site.close()
    server.discard()


@pytest.mark.parametrize("demand", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_whatever_becomes_of_a_worker_its_runs_go_on(
    site: Site, vendors: FakeVendors, demand: signal.Signals
) -> None:
    await asyncio.to_thread(site.open, "--no-worker")
    await asyncio.to_thread(site.add_worker)

    async def end_the_worker() -> None:
        next_one = asyncio.create_task(asyncio.to_thread(site.add_worker))
        victim = site.workers[-1]
        before = site.rows("SELECT count(*) FROM agents_agentrun WHERE status = 'running'")
        assert before[0][0] > 0
        killed_at = time.monotonic()
        victim.process.send_signal(demand)
        # Who stops lets its jobs end first.
        within_s = PROMISED_S if demand is signal.SIGKILL else TAKEN_OVER_WITHIN_S
        await taken_over(site, killed_at, within_s=within_s)
        await next_one

    for _ in range(KILLS_OF_WORKERS if demand is signal.SIGKILL else KILLS):
        await among_faults(
            site,
            [scripted(tool_ms=OUTLASTS_A_STOP_MS), *all_kinds(vendors)],
            end_the_worker,
        )
    assert site.rows("SELECT count(*) FROM agents_agentrun WHERE epoch > 1")[0][0] > 0


async def test_a_web_server_that_is_killed_takes_no_answer_with_it(
    site: Site, vendors: FakeVendors
) -> None:
    await asyncio.to_thread(site.open, "--no-worker")
    await asyncio.to_thread(site.add_worker)

    async def kill_the_server() -> None:
        assert site.web
        site.web.stop(signal.SIGKILL)
        await asyncio.to_thread(site.open, "--no-worker")

    for _ in range(KILLS):
        await among_faults(site, all_kinds(vendors), kill_the_server)
    assert site.rows("SELECT max(epoch) FROM agents_agentrun") == [(1,)]


async def test_redis_may_die_while_agents_answer(
    site: Site, vendors: FakeVendors, redis_server: RedisServer | GivenRedis
) -> None:
    await asyncio.to_thread(site.open, "--no-worker")
    await asyncio.to_thread(site.add_worker)

    async def kill_redis() -> None:
        await asyncio.to_thread(redis_server.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(redis_server.start)

    for _ in range(KILLS):
        await among_faults(site, all_kinds(vendors), kill_redis)
    assert site.rows("SELECT max(epoch) FROM agents_agentrun") == [(1,)]


async def test_a_database_that_is_killed_takes_no_answer_with_it(
    folder: Path, vendors: FakeVendors
) -> None:
    """The embedded one, which the server starts again; web and worker are one process."""
    site = Site(folder, url_of(address(folder / "files")), **vendors.settings)
    try:
        await asyncio.to_thread(site.open)
        site.note_writing()

        async def kill_the_database() -> None:
            noted = folder / "files" / "postgres" / "postmaster.pid"
            os.kill(int(noted.read_text().split()[0]), signal.SIGKILL)

        for _ in range(KILLS):
            await among_faults(site, all_kinds(vendors), kill_the_database)
    finally:
        site.close()


async def test_a_whole_server_that_is_killed_goes_on_with_its_answers(
    site: Site, vendors: FakeVendors
) -> None:
    await asyncio.to_thread(site.open)

    async def kill_the_server() -> None:
        assert site.web
        site.web.stop(signal.SIGKILL)
        killed_at = time.monotonic()
        await asyncio.to_thread(site.open)
        await taken_over(site, killed_at)

    for _ in range(KILLS):
        await among_faults(site, all_kinds(vendors), kill_the_server)


async def test_five_who_follow_end_with_the_same(site: Site) -> None:
    await asyncio.to_thread(site.open)
    chance = random.Random(6)
    url = f"http://127.0.0.1:{site.port}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        asked = Asked(site, at_length(PIECES), client)
        await asked.ask()
        async with asyncio.timeout(ENDED_WITHIN_S):
            followers = [
                asyncio.create_task(heard(asked, number, after_s=chance.uniform(0, 4)))
                for number in range(5)
            ]
            texts = await asyncio.gather(*followers)
        await asked.ended()
        messages = (await asked.get(f"/api/chats/{asked.chat}/messages"))["items"]
    assert set(texts) == {messages[-1]["content"]} == {asked.given.text}


async def among_faults(
    site: Site, given: Sequence[Given], fault: Callable[[], Awaitable[None]]
) -> None:
    """Ask one after the other, so that a fault finds each of them somewhere else; then look."""
    chance = site.chance
    url = f"http://127.0.0.1:{site.port}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        asked = [Asked(site, one, client) for one in given]
        for one in asked:
            await one.ask()
            await asyncio.sleep(APART_S * chance.uniform(0.5, 1.5))
        if IS_LONG:
            await asyncio.sleep(chance.uniform(0, LASTS_S))
        await fault()
        for one in asked:
            await one.ended()
        for one in asked:
            await check(one)


def all_kinds(vendors: FakeVendors) -> list[Given]:
    kinds = [scripted(), modelled("claude", vendors), modelled("gpt", vendors)]
    return [kinds[number % len(kinds)] for number in range(RUNS)]


async def taken_over(
    site: Site, killed_at: float, *, within_s: float = TAKEN_OVER_WITHIN_S
) -> None:
    """Wait until the last of the runs goes on that a dead worker had."""
    query = "SELECT id, epoch FROM agents_agentrun WHERE status IN ('queued', 'running')"
    waiting = dict(site.rows(query))
    while True:
        now = dict(site.rows(query))
        waiting = {run: epoch for run, epoch in waiting.items() if now.get(run) == epoch}
        after_s = time.monotonic() - killed_at
        if not waiting:
            logger.info("taken over after %.1f s", after_s)
            return
        assert after_s < within_s, waiting
        await asyncio.sleep(0.05)


async def heard(asked: Asked, number: int, *, after_s: float) -> str:
    """By a socket or by SSE, from the beginning; the first two leave every second and come back."""
    await asyncio.sleep(after_s)
    steps: list[Json] = []
    follow = by_socket if number % 2 else by_sse
    visits = 0
    while not steps or steps[-1]["type"] != "end":
        visits += 1
        try:
            async with asyncio.timeout(1 if number < 2 else None):
                await follow(asked, steps)
        except TimeoutError:
            pass
    assert visits > 1 or number >= 2
    assert [number_of(step) for step in steps] == list(range(1, len(steps) + 1))
    return said(steps)


async def check(asked: Asked) -> None:
    """Told without a hole, whole, and every tool used but once."""
    steps, given = asked.steps, asked.given
    stored = await asked.get(f"/api/messages/{asked.message_id}/events")
    assert steps == stored
    assert [number_of(step) for step in steps] == list(range(1, len(steps) + 1))
    messages = (await asked.get(f"/api/chats/{asked.chat}/messages"))["items"]
    assert messages[-1]["status"] == "completed", steps[-2:]
    assert said(steps) == messages[-1]["content"] == given.text
    assert [kinds(steps)[0], steps[-1]["type"]] == ["start", "end"]
    check_tools(asked)
    check_usage(asked)


def check_usage(asked: Asked) -> None:
    """What a model had begun to answer is counted, and so is that it was asked once more."""
    usage, given = asked.steps[-1]["usage"], asked.given
    ((epoch,),) = asked.site.rows(
        f"SELECT epoch FROM agents_agentrun WHERE public_id = '{asked.run_id}'"
    )
    if given.cost is None:
        more = usage["input_tokens"] - given.input_tokens
        # A worker that stops may cut off what the vendor has not counted yet.
        counted = range(0, INPUT_TOKENS * epoch, INPUT_TOKENS)
        assert more in counted or (usage["is_estimated"] and more > 0)
    else:
        assert usage["input_tokens"] == given.input_tokens
        assert usage["cost"] == float(given.cost)


def check_tools(asked: Asked) -> None:
    begun = asked.site.rows(
        "SELECT s.arguments->>'path', s.times_begun, (SELECT count(*) FROM written w"
        " WHERE w.run_id = r.id AND w.path = s.arguments->>'path') FROM agents_agentstep s"
        f" JOIN agents_agentrun r ON r.id = s.run_id WHERE r.public_id = '{asked.run_id}'"
    )
    assert sorted(path for path, _, _ in begun) == [f"{part}.txt" for part in range(PARTS)]
    again = [step for step in asked.steps if "is run once more" in step.get("text", "")]
    assert len(again) == sum(times - 1 for _, times, _ in begun)
    for _, times, written in begun:
        assert 1 <= written <= times
    for kind in ("tool_start", "tool_end"):
        assert sum(step["type"] == kind for step in asked.steps) == PARTS
