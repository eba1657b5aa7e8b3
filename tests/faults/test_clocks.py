"""Clocks that are set an hour back or forward while everybody works.

The clock of this process jumps, and the database's does not: of two machines that is the worst
there is.
"""

import asyncio
import time
from datetime import datetime, timedelta

import pytest
from channels.db import database_sync_to_async
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django import app as jobs
from procrastinate.contrib.django.django_connector import DjangoConnector

from agentpipe import rescue, server
from conversations.models import Project
from conversations.services import make_key
from tests.agents.chatting import Chatting
from tests.agents.chatting import said as answered
from tests.agents.conftest import stopped
from tests.clients import Api, Json, eventually, opened
from tests.faults.test_followers import follow_through

HOUR_S = 3600.0

pytestmark = [pytest.mark.timeout(600), pytest.mark.processes]


class Clock:
    """The time of day in this process; what only measures how long something takes goes on."""

    def __init__(self) -> None:
        self.shift_s = 0.0
        self._now, self._time = timezone.now, time.time

    def now(self) -> datetime:
        return self._now() + timedelta(seconds=self.shift_s)

    def time(self) -> float:
        return self._time() + self.shift_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock.now)
    monkeypatch.setattr(time, "time", clock.time)
    return clock


async def test_everyone_ends_with_the_log_while_the_clock_jumps(
    api: Api, key: str, clock: Clock
) -> None:
    async def jump() -> None:
        for shift_s in (HOUR_S, -HOUR_S, 0.0, -HOUR_S):
            clock.shift_s = shift_s
            await asyncio.sleep(0.2)

    await follow_through(api, key, meanwhile=jump)


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
async def test_a_run_ends_as_it_would_have(api: Api, key: str, clock: Clock, jump_s: float) -> None:
    chatting, working = Chatting(api, key), asyncio.create_task(server.keep_working())
    try:
        script: list[Json] = [{"say": "one stone "}, {"tool": "list_files", "args": {}, "ms": 300}]
        asked = await chatting.ask(await chatting.open(), *script, {"say": "upon another"})
        following = asyncio.create_task(chatting.steps(asked))
        await chatting.reached(asked, "processing")
        clock.shift_s = jump_s
        steps = await following
        answer = await chatting.answer(asked)
    finally:
        await stopped(working)
    assert answer["status"] == "completed"
    assert answered(steps) == answer["content"] == "one stone upon another"
    assert [int(step["id"].split("_")[1]) for step in steps] == list(range(1, len(steps) + 1))
    assert answer["processing_time_ms"] >= 0


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
async def test_whoever_was_within_the_rate_stays_so(
    api: Api, project: Project, clock: Clock, jump_s: float
) -> None:
    _, key = await database_sync_to_async(make_key)(project, "few", rates={"ingest": "3/60"})
    async with Api(key) as few:
        for _ in range(3):
            assert (await few.ingest("conversation.started", opened())).status_code == 201
        assert (await few.ingest("conversation.started", opened())).status_code == 429
        # As long as the window is, and what the clock did besides.
        clock.shift_s = jump_s
        assert (await few.ingest("conversation.started", opened())).status_code == 201


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
@pytest.mark.django_db(transaction=True)
async def test_the_jobs_of_the_dead_are_done_at_once(clock: Clock, jump_s: float) -> None:
    def leave_behind() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_workers (last_heartbeat)"
                " VALUES (now() - interval '1 minute') RETURNING id"
            )
            worker = cursor.fetchone()[0]
            cursor.execute(
                "INSERT INTO procrastinate_jobs (task_name, queue_name, args, status, worker_id)"
                " VALUES ('t', 'q', '{}', 'doing', %s) RETURNING id",
                [worker],
            )
            return int(cursor.fetchone()[0])

    def is_due() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT status = 'todo' AND scheduled_at <= now() FROM procrastinate_jobs"
                " WHERE id = %s",
                [job],
            )
            return bool(cursor.fetchone()[0])

    job = await database_sync_to_async(leave_behind)()
    clock.shift_s = jump_s
    connector = jobs.connector
    assert isinstance(connector, DjangoConnector)
    async with jobs.with_connector(connector.get_worker_connector()).open_async() as worker:
        rescuing = asyncio.create_task(rescue.keep_rescuing(worker.job_manager))
        await eventually(lambda: database_sync_to_async(is_due)(), within_s=30)
        rescuing.cancel()


async def test_what_is_done_every_second_is_done_after_a_clock_was_set_back(
    api: Api, clock: Clock
) -> None:
    times = 0

    async def every_second() -> None:
        nonlocal times
        times += 1

    uvicorn = server.Server(server.configuration(), lambda: None, every_second)
    serving = asyncio.create_task(uvicorn.serve(sockets=[]))
    await eventually(lambda: times > 0)
    clock.shift_s = -HOUR_S
    before = times
    await eventually(lambda: times > before)
    uvicorn.should_exit = True
    await serving
