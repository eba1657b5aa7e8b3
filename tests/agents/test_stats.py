"""How runs fare is counted: how long they wait and take, how often they are taken over."""

import asyncio

import pytest

from agentpipe import server
from agents import tasks, working
from agents.models import AgentRun
from agents.recorder import in_database
from tests.agentpipe.measuring import Growth
from tests.agents.chatting import Chatting
from tests.agents.conftest import stopped
from tests.clients import eventually

OF = 'agent="scripted"'


@pytest.mark.usefixtures("worker")
async def test_a_run_is_timed_from_the_question(chatting: Chatting, key: str) -> None:
    growth = await Growth.since_now(key)
    asked = await chatting.ask(await chatting.open(), {"say": "It is 42 m high."})
    await chatting.ended(asked)

    for name in (
        f"run_waited_seconds_count{{{OF}}}",
        f"run_first_piece_seconds_count{{{OF}}}",
        f'run_seconds_count{{{OF},status="completed"}}',
    ):
        await grows(growth, f"agentpipe_{name}")
    assert await growth.of("agentpipe_runs_at_work") == 0
    assert await growth.of("agentpipe_runs_taken_over_total") == 0


@pytest.mark.usefixtures("worker")
async def test_what_is_cancelled_is_counted_as_such(chatting: Chatting, key: str) -> None:
    growth = await Growth.since_now(key)
    asked = await chatting.ask(await chatting.open(), {"say": "It is "}, {"wait_ms": 60_000})
    await chatting.reached(asked, "processing")
    await grows(growth, "agentpipe_runs_at_work")
    await chatting.cancel(asked)

    await grows(growth, f'agentpipe_run_seconds_count{{{OF},status="cancelled"}}')


@pytest.mark.usefixtures("worker")
async def test_a_model_that_is_away_is_counted(
    chatting: Chatting, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "FIRST_WAIT_S", 0.01)
    growth = await Growth.since_now(key)
    asked = await chatting.ask(
        await chatting.open(), {"unavailable": "Overloaded", "times": 2}, {"say": "Yes."}
    )
    await chatting.ended(asked)

    assert await growth.of(f"agentpipe_vendor_retries_total{{{OF}}}") == 2


async def test_a_run_that_a_worker_had_begun_is_counted(chatting: Chatting, key: str) -> None:
    growth = await Growth.since_now(key)
    asked = await chatting.ask(await chatting.open(), {"say": "It is 42 m high."})
    await in_database(_begin_and_die, asked["message_id"])

    working_on_it = asyncio.create_task(server.keep_working())
    await chatting.ended(asked)
    await stopped(working_on_it)

    assert await growth.of("agentpipe_runs_taken_over_total") == 1
    assert await growth.of(f"agentpipe_run_waited_seconds_count{{{OF}}}") == 0


def _begin_and_die(question: str) -> None:
    working.take_up(AgentRun.objects.get(question__public_id=question).pk)


async def grows(growth: Growth, sample: str) -> None:
    async def has() -> bool:
        return await growth.of(sample) >= 1

    await eventually(has)
