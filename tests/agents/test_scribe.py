"""What a scribe promises about what is in the log."""

import asyncio
from typing import Any, cast

import pytest

from agents.backends.base import Result
from agents.checkpoint import Standing
from agents.errors import RunLost, ToolFailed
from agents.models import AgentRun
from agents.recorder import Recorder
from agents.scribe import RunScribe
from agents.working import Commission
from conversations.models import Project


class Notes:
    """A recorder that writes when the test says so."""

    def __init__(self) -> None:
        self.urgent = 0

    def note(self, scribe: RunScribe, *, is_urgent: bool = False) -> None:
        self.urgent += is_urgent

    def is_progress_due(self, run: AgentRun) -> bool:
        return True


def a_scribe(notes: Notes | None = None, standing: Standing | None = None) -> RunScribe:
    run = AgentRun(
        pk=7, project=Project(slug="tower"), agent_id="a", agent_name="A", prompt="?", epoch=1
    )
    commission = Commission(run=run, history=[], steps={}, standing=standing or Standing())
    return RunScribe(commission, cast(Recorder, notes or Notes()))


async def _settled(task: "asyncio.Task[Any]") -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return task.done()


async def test_written_is_what_was_told_before_and_not_what_was_on_its_way() -> None:
    scribe = a_scribe()
    await scribe.say("on its way")
    on_its_way = scribe.take()
    assert on_its_way
    await scribe.status("told later")
    waiting = asyncio.create_task(scribe.written())
    assert not await _settled(waiting)

    scribe.was_written(is_lost=False)
    assert not await _settled(waiting)

    later = scribe.take()
    assert later
    assert later.told_before == on_its_way.told_after
    scribe.was_written(is_lost=False)
    assert await _settled(waiting)


async def test_a_tool_does_nothing_before_its_call_is_in_the_log() -> None:
    scribe = a_scribe()
    done = []

    async def work() -> Result:
        done.append("work")
        return Result(text="42", summary="42")

    call = asyncio.create_task(scribe.call("call-1", "measure", {}, work))
    await _settled(call)
    entry = scribe.take()
    assert entry
    assert [event.kind for event in entry.steps] == ["tool_start"]
    assert done == []
    scribe.was_written(is_lost=False)
    await _settled(call)
    assert done == ["work"]
    ended = scribe.take()
    assert ended
    assert [event.kind for event in ended.steps] == ["tool_end"]
    assert not await _settled(call)
    scribe.was_written(is_lost=False)
    assert await call == "42"


async def test_what_fails_is_found_as_well() -> None:
    scribe = a_scribe()

    async def work() -> Result:
        raise ToolFailed("No such tower")

    call = asyncio.create_task(scribe.call("call-1", "measure", {}, work))
    for _ in range(2):
        await _settled(call)
        assert scribe.take()
        scribe.was_written(is_lost=False)
    assert await call == "No such tower"
    assert scribe.steps["call-1"].status == "error"


async def test_a_lost_run_tells_whoever_waits() -> None:
    scribe = a_scribe()
    stopped = []
    scribe.on_lost = lambda: stopped.append(True)
    await scribe.say("too late")
    waiting = asyncio.create_task(scribe.written())
    await _settled(waiting)
    scribe.take()
    scribe.was_written(is_lost=True)
    with pytest.raises(RunLost):
        await waiting
    with pytest.raises(RunLost):
        await scribe.written()
    assert stopped == [True]
    assert scribe.take() is None


async def test_pieces_between_two_writes_are_one_event() -> None:
    notes = Notes()
    scribe = a_scribe(notes)
    for piece in ("A ", "tower ", "stands."):
        await scribe.say(piece)
    assert notes.urgent == 1
    await scribe.status("Looking")
    await scribe.say(" Still.")
    entry = scribe.take()
    assert entry
    assert [event.data for event in entry.steps] == [
        {"md": "A tower stands."},
        {"text": "Looking"},
        {"md": " Still."},
    ]


@pytest.mark.parametrize(
    ("pieces", "new"),
    [
        (["Hello ", "world", "!"], "!"),
        (["Hello world!"], "!"),
        (["H", "ello w", "orld! Yes"], "! Yes"),
    ],
)
async def test_what_was_told_is_not_told_twice(pieces: list[str], new: str) -> None:
    scribe = a_scribe(standing=Standing(content="Kept. Hello world", kept=6))
    scribe.begin_attempt()
    for piece in pieces:
        await scribe.say(piece)
    entry = scribe.take()
    assert entry
    assert "".join(event.data["md"] for event in entry.steps) == new
    assert scribe.content == f"Kept. Hello world{new}"


@pytest.mark.parametrize("pieces", [["Hello ", "there"], ["Hello there"], ["Hel", "lo there"]])
async def test_what_is_said_otherwise_starts_over(pieces: list[str]) -> None:
    scribe = a_scribe(standing=Standing(content="Kept. Hello world", kept=6))
    scribe.begin_attempt()
    for piece in pieces:
        await scribe.say(piece)
    entry = scribe.take()
    assert entry
    assert entry.steps[0].data["reset"] is True
    assert "".join(event.data["md"] for event in entry.steps[1:]) == "Kept. Hello there"
    assert scribe.content == "Kept. Hello there"


async def test_thoughts_are_told_sentence_by_sentence_and_once() -> None:
    scribe = a_scribe()
    for piece in ("I wond", "er. ", "Is it high?", " Perhaps"):
        await scribe.think(piece)
    await scribe.say("Yes.")
    scribe.begin_attempt()
    await scribe.think("I wonder.")
    await scribe.think("It is.")
    entry = scribe.take()
    assert entry
    thoughts = [event.data["text"] for event in entry.steps if event.kind == "rationale"]
    assert thoughts == ["I wonder.", "Is it high?", "Perhaps", "It is."]


async def test_who_says_more_than_can_be_written_waits() -> None:
    scribe = a_scribe()
    telling = asyncio.create_task(scribe.say("x" * 300_000))
    assert not await _settled(telling)
    scribe.take()
    scribe.was_written(is_lost=False)
    assert await _settled(telling)
