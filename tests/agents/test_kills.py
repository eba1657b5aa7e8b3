"""A worker is killed at each of its writes: wherever that leaves a run, nothing of it is lost."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any, TypeVar

import pytest

from agents import recorder, tasks, working
from agents.models import AgentRun, AgentStep
from agents.recorder import Recorder, in_database
from agents.scribe import RunScribe
from tests.agents.chatting import Chatting, said
from tests.clients import Json

R = TypeVar("R")

MOST_WRITES = 50
TEXT = ["Stone on stone. ", "Stone by stone. ", "It stands."]
SCRIPT: list[Json] = [
    {"think": "A tower is asked for."},
    {"say": TEXT[0], "pieces": 3, "every_ms": 5},
    {"tool": "measure", "args": {"what": "tower"}, "result": "42"},
    {"say": TEXT[1]},
    {"usage": {"input_tokens": 10, "output_tokens": 5, "cost": "0.001"}},
    {"tool": "measure", "args": {"what": "stone"}, "result": "1"},
    {"say": TEXT[2]},
    {"usage": {"input_tokens": 10, "output_tokens": 5, "cost": "0.001"}},
]


class Life:
    """A worker of one run that is dead after so many writes: then nothing is heard of it."""

    def __init__(self, run_id: int, *, writes: int) -> None:
        self.run_id = run_id
        self.left = writes
        self.recorder = Recorder()
        self.died = asyncio.Event()

    async def live(self) -> bool:
        """Whether it came to the end of the run."""
        commission = await in_database(working.take_up, self.run_id)
        assert commission
        work = asyncio.create_task(
            tasks._carry_out(commission, RunScribe(commission, self.recorder))
        )
        death = asyncio.create_task(self.died.wait())
        await asyncio.wait({work, death}, return_when=asyncio.FIRST_COMPLETED)
        has_ended = work.done()
        threads = [each for each in (work, death, self.recorder._writing) if each]
        for each in threads:
            each.cancel()
        await asyncio.wait(threads)
        return has_ended

    async def write(self, change: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        if change is working.finish_run:
            # Whatever else there is to be written comes before it, as may be.
            while writing := self.recorder._writing:
                await asyncio.wait({writing, asyncio.create_task(self.died.wait())}, timeout=0.01)
        if not self.left:
            self.died.set()
            await asyncio.Event().wait()
        self.left -= 1
        return await in_database(change, *args, **kwargs)


async def carried_out(run_id: int, lives: Iterable[int], patch: pytest.MonkeyPatch) -> int:
    """By workers that die after so many writes, until one does not; says how many there were."""
    for count, writes in enumerate(lives, 1):
        life = Life(run_id, writes=writes)
        patch.setattr(recorder, "in_database", life.write)
        if await life.live():
            return count
    raise AssertionError("Nobody ended it")


async def check(chatting: Chatting, asked: Json, *, workers: int) -> None:
    events = await chatting.events(asked)
    answer = await chatting.answer(asked)
    run = await AgentRun.objects.aget(answer__public_id=asked["answer_id"])
    assert said(events) == "".join(TEXT) == answer["content"]
    assert [int(event["id"].split("_")[1]) for event in events] == list(range(1, len(events) + 1))
    assert run.told == len(events)
    assert not any(event.get("reset") for event in events)
    ends = [event for event in events if event["type"] == "end"]
    assert ends == events[-1:]
    # Nobody heard of what was used by a worker that died before it wrote that.
    assert run.requests == 2
    for kind in ("tool_start", "tool_end"):
        assert sum(event["type"] == kind for event in events) == 2
    begun = [step.times_begun async for step in AgentStep.objects.filter(run=run)]
    again = [event for event in events if "is run once more" in event.get("text", "")]
    assert len(begun) == 2
    assert len(again) == sum(begun) - 2 <= workers - 1


async def _asked(chatting: Chatting) -> tuple[Json, int]:
    asked = await chatting.ask(await chatting.open(), *SCRIPT)
    run = await AgentRun.objects.aget(answer__public_id=asked["answer_id"])
    return asked, run.pk


async def test_killed_at_any_write_nothing_is_lost(
    chatting: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    for writes in range(MOST_WRITES):
        asked, run_id = await _asked(chatting)
        workers = await carried_out(run_id, [writes, MOST_WRITES], monkeypatch)
        await check(chatting, asked, workers=workers)
        if workers == 1:
            # Each call is told twice, and so are the first piece and the end.
            assert writes >= 6
            return
    raise AssertionError("It never ends")


@pytest.mark.parametrize("writes", [2, 3])
async def test_killed_again_and_again_nothing_is_lost(
    chatting: Chatting, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    asked, run_id = await _asked(chatting)
    workers = await carried_out(run_id, repeat(writes, MOST_WRITES), monkeypatch)
    assert workers > 1
    await check(chatting, asked, workers=workers)


async def test_a_worker_that_has_to_stop_at_the_end_leaves_its_last_words(
    chatting: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, run_id = await _asked(chatting)
    ending = asyncio.Event()

    async def write(change: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        if change is working.finish_run:
            ending.set()
            await asyncio.Event().wait()
        return await in_database(change, *args, **kwargs)

    monkeypatch.setattr(recorder, "in_database", write)
    commission = await in_database(working.take_up, run_id)
    assert commission
    scribe = RunScribe(commission, Recorder())
    work = asyncio.create_task(tasks._carry_out(commission, scribe))
    await ending.wait()
    await tasks._stop(work)
    await tasks._hand_over(scribe)

    assert said(await chatting.events(asked)) == "".join(TEXT)
    monkeypatch.setattr(recorder, "in_database", in_database)
    assert await Life(run_id, writes=MOST_WRITES).live()
    await check(chatting, asked, workers=1)
