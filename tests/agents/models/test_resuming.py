"""A run that is interrupted goes on where it was: no tool twice, nothing asked for twice."""

from collections import Counter

import pytest

from agents.backends.base import Assignment
from tests.agents.models.asking import BOTH, Recorder, answered, assignment, model_backend
from tests.agents.scribes import Interrupted, MemoryScribe
from tests.vendors import Answer, FakeVendors, Text, Thinking, ToolUse

PLAN = {"items": [{"id": "1", "text": "Measure", "status": "in_progress"}]}


@pytest.fixture
def _script(vendors: FakeVendors) -> None:
    vendors.when(
        "tower",
        Answer(
            pieces=(
                Thinking(text="Which one?", each=5),
                Text(text="<think>Both.</think>I look", each=6),
                ToolUse(id="p", name="update_plan", arguments=PLAN),
                ToolUse(id="a", name="look_up", arguments={"what": "one"}),
                ToolUse(id="b", name="look_up", arguments={"what": "two"}),
            )
        ),
        Answer(
            pieces=(
                Text(text=" again", each=3),
                ToolUse(id="c", name="look_up", arguments={"what": "three"}),
            )
        ),
        Answer(pieces=(Text(text=": 42 m.", each=2),)),
    )


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.usefixtures("_script")
async def test_a_run_is_whole_wherever_it_was_interrupted(vendors: FakeVendors, model: str) -> None:
    whole = await answered(assignment(model, Recorder()))
    assert whole.answer == "I look again: 42 m."
    moments = 0
    while True:
        vendors.requests.clear()
        tool, scribe = Recorder(), MemoryScribe(interrupted_after=moments)
        if await is_finished(scribe, assignment(model, tool)):
            break
        acted_on = {0 for _ in scribe.plans} | {int(call in "c") for call in scribe.calls}
        scribe.go_on()
        assert await is_finished(scribe, assignment(model, tool, state=scribe.state))

        assert (scribe.answer, scribe.thoughts) == (whole.answer, whole.thoughts)
        assert scribe.resets == 0
        assert [call.result for call in scribe.calls.values()] == [
            "about one",
            "about two",
            "about three",
        ]
        assert set(scribe.begun.values()) == {1}
        assert len(tool.calls) == 3
        assert len(scribe.plans) == 1
        # One response may be asked for again, and none whose tools had begun.
        asked = Counter(request.responses for request in vendors.requests)
        again = [responses for responses, times in asked.items() if times > 1]
        assert len(vendors.requests) <= 4
        assert acted_on.isdisjoint(again)
        moments += 1
    assert moments == 20


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.usefixtures("_script")
async def test_a_run_survives_being_interrupted_all_the_time(
    vendors: FakeVendors, model: str
) -> None:
    tool, scribe = Recorder(), MemoryScribe(interrupted_after=9)
    attempts = 1
    while not await is_finished(scribe, assignment(model, tool, state=scribe.state)):
        scribe.go_on(interrupted_after=9)
        attempts += 1
    assert scribe.answer == "I look again: 42 m."
    assert attempts > 2
    assert len(tool.calls) == 3


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.usefixtures("_script")
async def test_a_step_that_is_told_again_is_paid_again(vendors: FakeVendors, model: str) -> None:
    once = (await answered(assignment(model, Recorder()))).spent
    scribe = MemoryScribe(interrupted_after=2)
    assert not await is_finished(scribe, assignment(model, Recorder()))
    interrupted = scribe.spent
    assert interrupted.requests == 1
    assert interrupted.is_estimated
    scribe.go_on()
    assert await is_finished(scribe, assignment(model, Recorder(), state=scribe.state))
    assert scribe.spent == interrupted + once


@pytest.mark.usefixtures("_script")
async def test_a_run_that_was_finished_asks_for_nothing(vendors: FakeVendors) -> None:
    scribe = await answered(assignment(BOTH[0], Recorder()))
    vendors.requests.clear()
    scribe.go_on()
    assert await is_finished(scribe, assignment(BOTH[0], Recorder(), state=scribe.state))
    assert vendors.requests == []
    assert scribe.answer == "I look again: 42 m."


async def is_finished(scribe: MemoryScribe, given: Assignment) -> bool:
    try:
        await model_backend().answer(given, scribe)
    except Interrupted:
        return False
    return True
