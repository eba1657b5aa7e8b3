"""An answer is stopped from anywhere, and tried again."""

import asyncio
from decimal import Decimal

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from agents import roster
from agents.backends.base import Assignment, Scribe, Usage
from agents.models import AgentRun
from agents.recorder import in_database
from tests.agents.chatting import Chatting, kinds, said
from tests.clients import Api, Json, eventually

ENDLESS: list[Json] = [
    {"say": "Once upon a time "},
    {"usage": {"input_tokens": 50, "output_tokens": 5, "cost": "0.000225"}},
    {"wait_ms": 60_000},
    {"say": "there was a tower."},
]


@pytest.mark.usefixtures("worker")
async def test_what_was_said_stays_and_what_was_used_is_counted(
    chatting: Chatting, api: Api
) -> None:
    chat = await chatting.open()
    asked = await chatting.ask(chat, *ENDLESS)
    following = asyncio.create_task(chatting.steps(asked))
    await _has_said(chatting, asked)

    answer = await chatting.cancel(asked)

    assert answer.status_code == 200
    assert answer.json() == {"message_id": asked["message_id"], "status": "cancelled"}
    steps = await following
    assert (kinds(steps)[-1], steps[-1]["status"]) == ("end", "cancelled")
    stored = await chatting.answer(asked)
    assert (stored["status"], stored["content"]) == ("cancelled", "Once upon a time ")
    assert said(steps) == stored["content"]
    await eventually(lambda: _counted(api, chat, 55))
    assert (await api.conversation(chat))["totalCost"] == 0.000225


async def _counted(api: Api, chat: str, tokens: int) -> bool:
    total: int = (await api.conversation(chat))["totalTokens"]
    return total == tokens


async def _has_said(chatting: Chatting, asked: Json) -> None:
    async def has() -> bool:
        return "content" in kinds(await chatting.events(asked))

    await eventually(has)


class Metered:
    """Knows what it has used only once it is stopped, as one does who asks a model."""

    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        await scribe.say("Once upon a time ")
        try:
            await asyncio.Event().wait()
        finally:
            await scribe.spend(Usage(input_tokens=50, output_tokens=5, cost=Decimal("0.000225")))


@pytest.mark.usefixtures("worker")
async def test_what_the_model_had_used_when_it_was_stopped_is_counted(
    chatting: Chatting, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "backend_of", lambda path: Metered())
    chat = await chatting.open()
    asked = await chatting.ask(chat)
    await _has_said(chatting, asked)

    await chatting.cancel(asked)

    await eventually(lambda: _counted(api, chat, 55))
    assert (await api.conversation(chat))["totalCost"] == 0.000225
    assert (await api.messages(chat))[1]["cost"] == 0.000225


@pytest.mark.usefixtures("worker")
async def test_its_worker_stops_and_goes_on_to_the_next_question(chatting: Chatting) -> None:
    chat = await chatting.open()
    endless = await chatting.ask(chat, *ENDLESS)
    following = await chatting.ask(chat, {"say": "Next."})
    await _has_said(chatting, endless)

    await chatting.cancel(endless)

    assert (await chatting.ended(following))["content"] == "Next."
    await eventually(lambda: in_database(_no_jobs, endless, following))


def _no_jobs(*asked: Json) -> bool:
    runs = AgentRun.objects.filter(answer__public_id__in=[one["answer_id"] for one in asked])
    jobs = ProcrastinateJob.objects.filter(task_name="agents.answer")
    return not jobs.filter(args__run_id__in=list(runs.values_list("pk", flat=True))).exists()


async def test_what_nobody_has_begun_is_cancelled_too(chatting: Chatting) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Never."})
    answer = await chatting.cancel(asked)
    assert answer.status_code == 200
    steps = await chatting.steps(asked)
    assert kinds(steps) == ["start", "end"]
    assert (await chatting.answer(asked))["status"] == "cancelled"
    assert await in_database(_no_jobs, asked)


@pytest.mark.usefixtures("worker")
async def test_what_is_over_cannot_be_cancelled(chatting: Chatting) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Done."})
    await chatting.ended(asked)
    answer = await chatting.cancel(asked)
    assert answer.status_code == 409
    assert answer.json() == {"error": "It has finished and cannot be cancelled"}


async def test_of_many_who_cancel_one_does(chatting: Chatting) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Never."})
    answers = await asyncio.gather(*(chatting.cancel(asked) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + 5 * [409]
    assert [step["type"] for step in await chatting.events(asked)].count("end") == 1


@pytest.mark.usefixtures("worker")
async def test_what_failed_is_tried_again(chatting: Chatting) -> None:
    chat = await chatting.open()
    asked = await chatting.ask(
        chat, {"say": "Well, "}, {"unavailable": "Too busy", "times": 0}, {"fail": "No tower"}
    )
    before = await chatting.steps(asked)
    await in_database(_let_pass, asked)

    answer = await chatting.retry(asked)

    assert answer.status_code == 201
    assert answer.json()["message_id"] == asked["message_id"]
    again = {**answer.json(), "chat": chat}
    steps = await chatting.steps(again)
    assert kinds(steps) == ["start", "content", "end"]
    assert steps[-1]["status"] == "completed"
    stored = await chatting.answer(again)
    assert (stored["status"], stored["content"]) == ("completed", said(steps))
    everything = await chatting.events(asked)
    numbers = [int(step["id"].split("_")[1]) for step in everything]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(everything) == len(before) + 1 + len(steps)
    assert said(everything) == stored["content"]
    assert len(await chatting.messages(chat)) == 2


def _let_pass(asked: Json) -> None:
    """The next attempt finds that what stood in its way is gone."""
    AgentRun.objects.filter(question__public_id=asked["message_id"]).update(
        metadata={"script": [{"say": "It stands."}]}
    )


@pytest.mark.usefixtures("worker")
async def test_what_is_well_or_still_going_on_is_not_tried_again(chatting: Chatting) -> None:
    chat = await chatting.open()
    done = await chatting.ask(chat, {"say": "Done."})
    going_on = await chatting.ask(chat, *ENDLESS)
    await chatting.reached(going_on, "processing")
    for asked in (done, going_on):
        answer = await chatting.retry(asked)
        assert answer.status_code == 409
        assert "tried again" in answer.json()["error"]
    await chatting.cancel(going_on)


@pytest.mark.usefixtures("worker")
async def test_all_attempts_are_paid_for(chatting: Chatting, api: Api) -> None:
    chat = await chatting.open()
    used: Json = {"usage": {"input_tokens": 10, "output_tokens": 1, "cost": "0.000045"}}
    asked = await chatting.ask(chat, used, {"fail": "No tower"})
    await chatting.ended(asked)
    again = {**(await chatting.retry(asked)).json(), "chat": chat}
    await chatting.ended(again, "error")
    await eventually(lambda: _counted(api, chat, 22))
    assert (await api.conversation(chat))["totalCost"] == 0.00009
