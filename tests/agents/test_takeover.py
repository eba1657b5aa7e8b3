"""A worker is gone halfway: the next goes on where it was, and nothing is told or done twice."""

import asyncio
from collections.abc import Sequence

import pytest
from procrastinate.contrib.django import app

from agents import recorder, roster, working
from agents import scribe as scribe_of_runs
from agents.backends.base import Assignment, Result, Scribe
from agents.errors import RunLost
from agents.models import AgentRun, AgentStep, Checkpoint
from agents.recorder import in_database
from agents.scribe import RunScribe
from tests.agents.chatting import Chatting, kinds, said
from tests.clients import Api, Json, eventually

WORDS = [f"word {number}, " for number in range(30)]


class Parts:
    """Says its words, with a call of a tool in between; dies where it is told to."""

    def __init__(self) -> None:
        self.dies_after: int | None = None
        self.worked: list[str] = []
        self.words: Sequence[str] = WORDS

    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        if (assignment.state or {}).get("part", 0) < 1:
            await self._say(scribe, self.words[:10])
            await scribe.keep({"part": 1})
        if (assignment.state or {}).get("part", 0) < 2:
            await scribe.call("call-1", "measure", {"what": "tower"}, self._work)
            await self._say(scribe, self.words[10:20])
            await scribe.keep({"part": 2})
        await self._say(scribe, self.words[20:])

    async def _say(self, scribe: Scribe, words: Sequence[str]) -> None:
        for word in words:
            if self.dies_after is not None:
                self.dies_after -= 1
                if self.dies_after < 0:
                    await asyncio.Event().wait()
            await scribe.say(word)

    async def _work(self) -> Result:
        self.worked.append("measured")
        return Result(text="42", summary="42 metres")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    parts = Parts()
    monkeypatch.setattr(roster, "backend_of", lambda path: parts)
    return parts


class Worker:
    """Carries out one run, and can be killed: nothing of it is heard any more."""

    def __init__(self, asked: Json) -> None:
        self.asked = asked
        self.scribe: RunScribe | None = None
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        from agents import tasks

        run_id = await in_database(_run_id, self.asked)
        commission = await recorder.in_database(working.take_up, run_id)
        assert commission is not None
        self.scribe = RunScribe(commission, recorder.Recorder())
        self._task = asyncio.create_task(tasks._carry_out(commission, self.scribe))

    async def kill(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})

    async def finish(self) -> None:
        assert self._task is not None
        await self._task


def _run_id(asked: Json) -> int:
    return AgentRun.objects.get(answer__public_id=asked["answer_id"]).pk


@pytest.mark.parametrize("after", [0, 1, 5, 10, 11, 15, 20, 21, 29])
async def test_it_goes_on_from_wherever_it_stood(
    chatting: Chatting, parts: Parts, after: int
) -> None:
    asked = await chatting.ask(await chatting.open(), content="How high?")
    parts.dies_after = after
    first = Worker(asked)
    await first.begin()
    await _told(chatting, asked, "".join(WORDS[:after]))
    await first.kill()
    parts.dies_after = None

    second = Worker(asked)
    await second.begin()
    await second.finish()

    events = await chatting.events(asked)
    assert said(events) == "".join(WORDS) == (await chatting.answer(asked))["content"]
    assert not any(event.get("reset") for event in events)
    assert kinds(events).count("tool_start") == kinds(events).count("tool_end") == 1
    assert parts.worked == ["measured"]


async def _told(chatting: Chatting, asked: Json, text: str) -> None:
    async def has() -> bool:
        return said(await chatting.events(asked)) == text

    await eventually(has)


async def test_what_is_said_otherwise_starts_the_step_over(
    chatting: Chatting, parts: Parts
) -> None:
    asked = await chatting.ask(await chatting.open(), content="How high?")
    parts.dies_after = 15
    first = Worker(asked)
    await first.begin()
    await _told(chatting, asked, "".join(WORDS[:15]))
    await first.kill()
    parts.dies_after = None
    parts.words = [*WORDS[:12], "otherwise ", *WORDS[13:]]

    second = Worker(asked)
    await second.begin()
    await second.finish()

    events = await chatting.events(asked)
    resets = [place for place, event in enumerate(events) if event.get("reset")]
    assert len(resets) == 1
    # What belongs to the step before is there again at once, and what was said alike with it.
    assert events[resets[0] + 1]["md"].startswith("".join(WORDS[:12]))
    assert said(events) == "".join(parts.words) == (await chatting.answer(asked))["content"]
    assert parts.worked == ["measured"]


async def test_what_was_started_over_is_taken_over_as_it_stands(
    chatting: Chatting, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that only the log knows of the reset.
    monkeypatch.setattr(scribe_of_runs, "CHECKPOINT_EVERY_S", 1000.0)
    asked = await chatting.ask(await chatting.open(), content="How high?")
    for words, dies_after in ((WORDS, 15), ([*WORDS[:12], "otherwise ", *WORDS[13:]], 14)):
        parts.words, parts.dies_after = words, dies_after - (0 if words is WORDS else 10)
        worker = Worker(asked)
        await worker.begin()
        await _told(chatting, asked, "".join(words[:dies_after]))
        await worker.kill()
    parts.dies_after = None

    last = Worker(asked)
    await last.begin()
    await last.finish()

    events = await chatting.events(asked)
    assert sum(bool(event.get("reset")) for event in events) == 1
    assert said(events) == "".join(parts.words) == (await chatting.answer(asked))["content"]


async def test_a_step_that_ends_earlier_than_it_did_starts_over(
    chatting: Chatting, parts: Parts
) -> None:
    asked = await chatting.ask(await chatting.open(), content="How high?")
    parts.dies_after = 28
    first = Worker(asked)
    await first.begin()
    await _told(chatting, asked, "".join(WORDS[:28]))
    await first.kill()
    parts.dies_after = None
    parts.words = WORDS[:25]

    second = Worker(asked)
    await second.begin()
    await second.finish()

    events = await chatting.events(asked)
    assert said(events) == "".join(WORDS[:25]) == (await chatting.answer(asked))["content"]


async def test_a_call_that_was_under_way_is_made_again_and_that_is_told(
    chatting: Chatting, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await chatting.ask(await chatting.open(), content="How high?")
    begun = asyncio.Event()

    async def never(self: Parts) -> Result:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(Parts, "_work", never)
        first = Worker(asked)
        await first.begin()
        await begun.wait()
        await first.kill()

    second = Worker(asked)
    await second.begin()
    await second.finish()

    events = await chatting.events(asked)
    assert kinds(events).count("tool_start") == kinds(events).count("tool_end") == 1
    told = [event["text"] for event in events if event["type"] == "status"]
    assert told == ["measure was interrupted, and is run once more"]
    assert parts.worked == ["measured"]
    step = await AgentStep.objects.aget(call_id="call-1")
    assert (step.times_begun, step.status, step.result) == (2, "ok", "42")


async def test_whoever_was_given_up_for_dead_writes_no_more(
    chatting: Chatting, parts: Parts
) -> None:
    asked = await chatting.ask(await chatting.open(), content="How high?")
    parts.dies_after = 5
    first = Worker(asked)
    await first.begin()
    await _told(chatting, asked, "".join(WORDS[:5]))
    second = Worker(asked)
    await second.begin()
    assert first.scribe

    await first.scribe.say("from the dead")
    with pytest.raises(RunLost):
        await first.scribe.written()

    assert "from the dead" not in said(await chatting.events(asked))
    await first.kill()
    await second.kill()


async def test_of_a_run_that_was_cancelled_nothing_more_is_written(
    chatting: Chatting, parts: Parts
) -> None:
    """Before its worker has heard of it."""
    asked = await chatting.ask(await chatting.open(), content="How high?")
    parts.dies_after = 5
    worker = Worker(asked)
    await worker.begin()
    await _told(chatting, asked, "".join(WORDS[:5]))
    assert (await chatting.cancel(asked)).status_code == 200
    assert worker.scribe

    await worker.scribe.say("after the end")
    with pytest.raises(RunLost):
        await worker.scribe.written()

    assert kinds(await chatting.events(asked))[-1] == "end"
    assert said(await chatting.events(asked)) == "".join(WORDS[:5])
    await worker.kill()


async def test_a_worker_that_takes_up_its_own_run_again_goes_on(
    chatting: Chatting, parts: Parts
) -> None:
    """It was given up for dead while it was only slow: both write at the same time."""
    asked = await chatting.ask(await chatting.open(), content="How high?")
    parts.dies_after = 5
    before, after = Worker(asked), Worker(asked)
    await before.begin()
    await _told(chatting, asked, "".join(WORDS[:5]))
    await before.kill()
    await after.begin()
    assert before.scribe
    assert after.scribe
    await before.scribe.say("from the dead")
    await after.scribe.say("and on")
    entries = [entry for one in (before, after) if (entry := one.scribe and one.scribe.take())]

    lost = await recorder.in_database(working.record_steps, entries)

    assert lost == {entries[0].claim}
    await after.kill()
    assert said(await chatting.events(asked)) == "".join(WORDS[:5]) + "and on"


async def test_a_write_that_is_repeated_is_written_once(chatting: Chatting, parts: Parts) -> None:
    """The database was gone before it said that it had committed."""
    asked = await chatting.ask(await chatting.open(), content="How high?")
    parts.dies_after = 5
    worker = Worker(asked)
    await worker.begin()
    await _told(chatting, asked, "".join(WORDS[:5]))
    assert worker.scribe
    await worker.scribe.say("once")
    entry = worker.scribe.take()
    assert entry is not None

    for _ in range(2):
        assert await recorder.in_database(working.record_steps, [entry]) == set()

    assert said(await chatting.events(asked)) == "".join(WORDS[:5]) + "once"
    await worker.kill()


async def test_what_no_database_holds_stops_no_run(chatting: Chatting, parts: Parts) -> None:
    asked = await chatting.ask(await chatting.open(), content="How high?")
    parts.words = ["\0 and \ud800"]
    worker = Worker(asked)
    await worker.begin()
    assert worker.scribe
    await worker.scribe.keep({"part": 0, "said": ["\0", {"\ud800": 1}]})
    await worker.scribe.call("\0", "measure\0", {"what": "\0"}, parts._work)
    await worker.finish()
    assert (await chatting.answer(asked))["content"] == "\ufffd and \ufffd"


async def test_a_damaged_checkpoint_is_not_believed(chatting: Chatting, parts: Parts) -> None:
    asked = await chatting.ask(await chatting.open(), content="How high?")
    parts.dies_after = 15
    first = Worker(asked)
    await first.begin()
    await _told(chatting, asked, "".join(WORDS[:15]))
    await first.kill()
    assert await Checkpoint.objects.aupdate(content="something else", kept=9) == 1
    parts.dies_after = None

    second = Worker(asked)
    await second.begin()
    await second.finish()

    assert (await chatting.answer(asked))["content"] == "".join(WORDS)
    assert said(await chatting.events(asked)) == "".join(WORDS)
    assert parts.worked == ["measured"]


@pytest.mark.usefixtures("worker")
async def test_a_job_that_comes_again_when_all_is_done_does_nothing(
    chatting: Chatting, api: Api
) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Done."})
    await chatting.ended(asked)
    before = await chatting.events(asked)
    task = app.tasks["agents.answer"]
    await task.func(None, run_id=await in_database(_run_id, asked))
    assert await chatting.events(asked) == before
