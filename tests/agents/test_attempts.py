"""What may pass is tried again, and told; what takes long is told; what is lost is found."""

import asyncio
from datetime import timedelta

import pytest
from channels.db import database_sync_to_async
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from agents import roster, tasks, working
from agents.backends.base import Assignment, Result, Scribe
from agents.models import AgentRun, Checkpoint
from agents.recorder import in_database
from tests.agents.chatting import Chatting, kinds, said
from tests.clients import Json, eventually


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "FIRST_WAIT_S", 0.01)


def told(steps: list[Json]) -> list[str]:
    return [step["text"] for step in steps if step["type"] == "status"]


@pytest.mark.usefixtures("worker")
async def test_what_may_pass_is_tried_again(chatting: Chatting) -> None:
    asked = await chatting.ask(
        await chatting.open(),
        {"say": "It is "},
        {"unavailable": "Too many requests", "times": 3},
        {"say": "42 m high."},
    )

    steps = await chatting.steps(asked)

    assert said(steps) == "It is 42 m high."
    assert told(steps) == [
        f"Too many requests. Trying again in 0 s ({attempt} of 5)" for attempt in (2, 3, 4)
    ]
    assert steps[-1]["status"] == "completed"
    assert not any(step.get("reset") for step in steps)


@pytest.mark.usefixtures("worker")
async def test_after_five_attempts_it_is_over(chatting: Chatting) -> None:
    asked = await chatting.ask(
        await chatting.open(), {"say": "It is "}, {"unavailable": "Overloaded", "times": 99}
    )

    steps = await chatting.steps(asked)

    assert len(told(steps)) == 4
    assert steps[-2]["error"] == "Overloaded (tried 5 times)"
    assert (await chatting.answer(asked))["content"] == "It is " == said(steps)


def test_the_wait_doubles_and_heeds_the_vendor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "FIRST_WAIT_S", 1.0)
    for attempt, least in ((1, 1), (2, 2), (3, 4), (4, 8)):
        waits = [tasks._wait_s(attempt, None) for _ in range(50)]
        assert least <= min(waits) < max(waits) <= 1.25 * least
    assert tasks._wait_s(1, 7.0) == 7.0
    assert tasks._wait_s(1, 86_400.0) == tasks.LONGEST_WAIT_S


class Slow:
    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        await scribe.call("call-1", "measure", {}, self._measure)
        await scribe.say("Measured.")

    async def _measure(self) -> Result:
        await self.may_end.wait()
        return Result(text="42", summary="42")


@pytest.mark.usefixtures("worker")
async def test_what_takes_long_is_told_now_and_then(
    chatting: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "TOLD_EVERY_S", 1)
    slow = Slow()
    monkeypatch.setattr(roster, "backend_of", lambda path: slow)
    asked = await chatting.ask(await chatting.open(), content="How high?")

    async def is_told() -> bool:
        return told(await chatting.events(asked))[:2] == [
            "measure (1 s elapsed)",
            "measure (2 s elapsed)",
        ]

    await eventually(is_told)
    slow.may_end.set()
    assert (await chatting.ended(asked))["content"] == "Measured."


class Broken:
    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        await scribe.say("Well, ")
        raise ZeroDivisionError("a secret of the house")


@pytest.mark.usefixtures("worker")
async def test_a_fault_of_ours_ends_the_run_and_tells_no_secrets(
    chatting: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "backend_of", lambda path: Broken())
    asked = await chatting.ask(await chatting.open(), content="How high?")
    answer = await chatting.ended(asked)
    assert (answer["status"], answer["content"]) == ("error", "Well, ")
    assert answer["error"] == "Something went wrong: the log of the server has it"


@pytest.mark.usefixtures("worker")
async def test_an_agent_without_a_key_says_what_to_set(chatting: Chatting) -> None:
    for agent, variable in (("claude", "ANTHROPIC_API_KEY"), ("gpt", "OPENAI_API_KEY")):
        asked = await chatting.ask(await chatting.open(agent_id=agent), content="How high?")
        # On a machine that is busy with importing, another worker may take it over, and says so.
        steps = [step for step in await chatting.steps(asked) if step["type"] != "status"]
        assert kinds(steps) == ["start", "error", "end"]
        assert variable in steps[1]["error"]


async def test_a_run_whose_job_was_lost_gets_another(chatting: Chatting) -> None:
    chat = await chatting.open()
    first = await chatting.ask(chat, {"say": "One."})
    second = await chatting.ask(chat, {"say": "Two."})
    await in_database(_lose_jobs)

    await database_sync_to_async(tasks.sweep_runs)(timestamp=0)

    jobs = [job async for job in ProcrastinateJob.objects.filter(task_name="agents.answer")]
    run = await AgentRun.objects.aget(answer__public_id=first["answer_id"])
    assert [job.args for job in jobs] == [{"run_id": run.pk}]
    assert run.job_id == jobs[0].pk
    assert (await AgentRun.objects.aget(answer__public_id=second["answer_id"])).job_id is None


def _lose_jobs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


async def test_a_run_that_takes_every_worker_down_is_given_up(chatting: Chatting) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Never."})
    run = await AgentRun.objects.aget(answer__public_id=asked["answer_id"])
    assert await database_sync_to_async(working.take_up)(run.pk)
    await AgentRun.objects.filter(pk=run.pk).aupdate(epoch=working.MOST_WORKERS)

    assert await database_sync_to_async(working.take_up)(run.pk) is None

    answer = await chatting.answer(asked)
    assert (answer["status"], answer["error"]) == (
        "error",
        "100 workers have begun it, and none has ended it",
    )
    assert kinds(await chatting.events(asked)) == ["start", "error", "end"]


@pytest.mark.usefixtures("worker")
async def test_checkpoints_go_an_hour_after_the_end(chatting: Chatting) -> None:
    asked = await chatting.ask(
        await chatting.open(),
        {"usage": {"input_tokens": 1}},
        # Before it a scribe waits until all is written.
        {"tool": "measure", "result": "42"},
        {"say": "Done."},
    )
    await chatting.ended(asked)
    sweep = database_sync_to_async(tasks.sweep_runs)
    await sweep(timestamp=0)
    assert await Checkpoint.objects.acount() == 1
    run = await AgentRun.objects.aget(answer__public_id=asked["answer_id"])
    assert run.finished_at
    await AgentRun.objects.aupdate(finished_at=run.finished_at - timedelta(minutes=61))
    await sweep(timestamp=0)
    assert await Checkpoint.objects.acount() == 0
