"""Within fifteen seconds after a worker has died, another one goes on with what it did."""

import asyncio
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connection
from procrastinate.contrib.django import app as jobs
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.models import ProcrastinateJob

from agentpipe import rescue, server
from agents import working
from agents.models import AgentRun
from conversations.tasks import index_for_search
from tests.agents.chatting import Chatting
from tests.agents.conftest import chatting, stopped
from tests.clients import Api

__all__ = ["chatting"]

PROMISED_S = 15
# To ask the database and to go on: on a machine that has the time.
FOR_THE_REST_S = 3
AN_HOUR_S = 3600


def test_the_pauses_until_somebody_takes_over_add_up_to_less_than_is_promised() -> None:
    """It dies when it was just heard of, is given up, found, and its job is found."""
    pauses = (
        rescue.GIVEN_UP_AFTER_S,
        rescue.LOOKED_FOR_EVERY_S,
        server.JOBS_LOOKED_FOR_EVERY_S,
    )
    assert sum(pauses) + FOR_THE_REST_S <= PROMISED_S
    # Who misses a beat or two is not given up.
    assert 3 * server.HEARTBEAT_S < rescue.GIVEN_UP_AFTER_S


async def test_a_worker_keeps_to_these_pauses(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def run(self: object, **options: Any) -> None:
        kept.set_result(options)
        await asyncio.Event().wait()

    monkeypatch.setattr("procrastinate.App.run_worker_async", run)
    work = asyncio.create_task(server.keep_working())
    options = await kept
    await stopped(work)

    assert options["update_heartbeat_interval"] == server.HEARTBEAT_S
    assert options["fetch_job_polling_interval"] == server.JOBS_LOOKED_FOR_EVERY_S
    assert options["stalled_worker_timeout"] == rescue.GIVEN_UP_AFTER_S


@pytest.mark.parametrize(
    ("unheard_for_s", "status"), [(rescue.GIVEN_UP_AFTER_S, "todo"), (-AN_HOUR_S, "doing")]
)
async def test_the_first_look_after_a_worker_is_given_up_frees_its_jobs(
    chatting: Chatting, unheard_for_s: float, status: str
) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "It stands."})
    run = await database_sync_to_async(_left_behind)(asked["answer_id"], unheard_for_s)

    await _rescued()

    assert (await ProcrastinateJob.objects.aget(pk=run.job_id)).status == status


async def test_what_is_queued_again_already_goes_on_as_that(chatting: Chatting) -> None:
    dead = await database_sync_to_async(_queued)("the same")
    await database_sync_to_async(_given_to_the_dead)(dead, AN_HOUR_S)
    again = await database_sync_to_async(_queued)("the same")
    asked = await chatting.ask(await chatting.open(), {"say": "It stands."})
    run = await database_sync_to_async(_left_behind)(asked["answer_id"], AN_HOUR_S)

    await _rescued()

    left = ProcrastinateJob.objects.filter(pk__in=[dead, again, run.job_id]).order_by("pk")
    assert [(job.id, job.status) async for job in left] == [(again, "todo"), (run.job_id, "todo")]


async def test_a_worker_that_starts_goes_on_with_what_a_dead_one_left(chatting: Chatting) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "It stands."})
    run = await database_sync_to_async(_left_behind)(asked["answer_id"], rescue.GIVEN_UP_AFTER_S)
    assert run.epoch == 1

    work = asyncio.create_task(server.keep_working())
    answer = await chatting.ended(asked)
    await stopped(work)

    assert (answer["status"], answer["content"]) == ("completed", "It stands.")
    await run.arefresh_from_db()
    assert run.epoch == 2


def _queued(lock: str) -> int:
    return index_for_search.configure(lock=lock, queueing_lock=lock).defer(timestamp=0)


async def _rescued() -> None:
    connector = jobs.connector
    assert isinstance(connector, DjangoConnector)
    async with jobs.with_connector(connector.get_worker_connector()).open_async() as worker:
        await rescue._rescue(worker.job_manager)


def _left_behind(answer_id: str, unheard_for_s: float) -> AgentRun:
    """The run, begun by a worker that was heard of for the last time so long ago."""
    run = AgentRun.objects.get(answer__public_id=answer_id)
    assert working.take_up(run.pk)
    _given_to_the_dead(run.job_id, unheard_for_s)
    run.refresh_from_db()
    return run


def _given_to_the_dead(job_id: int | None, unheard_for_s: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH worker AS (INSERT INTO procrastinate_workers (last_heartbeat)"
            " VALUES (now() - make_interval(secs => %s)) RETURNING id)"
            " UPDATE procrastinate_jobs SET status = 'doing', worker_id = worker.id FROM worker"
            " WHERE procrastinate_jobs.id = %s",
            [unheard_for_s, job_id],
        )
