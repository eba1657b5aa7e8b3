"""A script is played step by step, and goes on where it was interrupted."""

import time
from decimal import Decimal
from typing import Any

import pytest

from agents.backends.base import Agent, Assignment, Json, Result, Usage
from agents.backends.scripted import Scripted
from agents.errors import BackendFailed, BackendUnavailable
from tests.agents.scribes import MemoryScribe, interrupted_everywhere

AGENT = Agent(id="scripted", name="Scripted", backend="agents.backends.scripted.Scripted")


def assigned(script: object, *, state: Json | None = None, **options: Any) -> Assignment:
    metadata = {} if script is None else {"script": script}
    return Assignment(agent=AGENT, prompt="Play", metadata=metadata, state=state, **options)


async def played(script: object, **options: Any) -> MemoryScribe:
    scribe = MemoryScribe()
    await Scripted().answer(assigned(script, **options), scribe)
    return scribe


async def test_what_is_to_be_said_is_said_in_pieces() -> None:
    scribe = await played([{"say": "The tower 塔 stands.", "pieces": 4}, {"say": "!"}])

    assert scribe.answer == "The tower 塔 stands.!"
    assert len(scribe.pieces) == 5
    assert all(scribe.pieces)


async def test_a_text_has_no_more_pieces_than_letters() -> None:
    assert (await played([{"say": "abc", "pieces": 10}])).pieces == ["a", "b", "c"]
    assert (await played([{"say": ""}])).pieces == []


async def test_every_kind_of_step_is_told() -> None:
    scribe = await played(
        [
            {"think": "Hm."},
            {"plan": [{"text": "Measure", "status": "in_progress"}, {"id": "b", "text": "Say"}]},
            {"tool": "measure", "args": {"what": "tower"}, "result": "42 m", "summary": "high"},
            {"tool": "weigh", "fails": True},
            {"status": "Resting"},
            {"wait_ms": 1},
            {"usage": {"input_tokens": 3, "output_tokens": 4, "cost": "0.000001"}},
            {"repeat": 2, "steps": [{"say": "a"}, {"repeat": 2, "steps": [{"say": "b"}]}]},
        ]
    )

    assert scribe.thoughts == "Hm."
    assert [(item.id, item.text, item.status) for item in scribe.plans[0]] == [
        ("1", "Measure", "in_progress"),
        ("b", "Say", "pending"),
    ]
    measured, weighed = scribe.calls.values()
    assert (measured.name, measured.arguments) == ("measure", {"what": "tower"})
    assert (measured.status, measured.result, measured.summary) == ("ok", "42 m", "high")
    assert (weighed.status, weighed.result) == ("error", "weigh failed")
    assert scribe.statuses == ["Resting"]
    assert scribe.spent == Usage(
        input_tokens=3, output_tokens=4, requests=1, cost=Decimal("0.000001")
    )
    assert scribe.answer == "abbabb"


async def test_the_demo_shows_every_kind_of_step_and_ends_well() -> None:
    scribe = await played(None)

    assert all([scribe.answer, scribe.thoughts, scribe.plans, scribe.statuses])
    assert {call.status for call in scribe.calls.values()} == {"ok", "error"}
    assert scribe.spent.cost
    assert {item.status for item in scribe.plans[-1]} == {"completed"}


class Doubling:
    def __init__(self) -> None:
        self.name = "double"
        self.description = "Twice as much"
        self.parameters = {"type": "object"}

    async def __call__(self, arguments: Json) -> Result:
        return Result(text=str(2 * arguments["number"]), summary="doubled")


async def test_a_tool_without_a_result_is_really_used() -> None:
    script = [{"tool": "double", "args": {"number": 21}}, {"tool": "triple"}]
    scribe = await played(script, tools={"double": Doubling()})

    doubled, tripled = scribe.calls.values()
    assert (doubled.result, doubled.summary) == ("42", "doubled")
    assert (tripled.status, tripled.result) == ("error", "There is no tool triple")


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ({}, "metadata.script: should be a list"),
        (["say"], "metadata.script.0: should have one of say, think"),
        ([{}], "metadata.script.0: should have one of"),
        ([{"say": "a", "think": "b"}], "metadata.script.0: should have one of"),
        ([{"say": "a"}, {"say": "b", "pieces": 0}], "metadata.script.1.pieces: "),
        ([{"say": "a", "loudly": True}], "metadata.script.0.loudly: "),
        ([{"wait_ms": 1e9}], "metadata.script.0.wait_ms: "),
        ([{"plan": [{"text": "a", "status": "late"}]}], "metadata.script.0.plan.0.status: "),
        ([{"repeat": 2, "steps": [{"say": 1}]}], "metadata.script.0.steps.0.say: "),
        ([{"repeat": 100_000, "steps": [{"say": ""}] * 2}], "metadata.script: a script has"),
    ],
)
async def test_a_bad_script_fails_and_says_where(script: object, complaint: str) -> None:
    scribe = MemoryScribe()
    with pytest.raises(BackendFailed) as caught:
        await Scripted().answer(assigned(script), scribe)
    assert str(caught.value).startswith(complaint)
    assert scribe == MemoryScribe()


async def test_a_failing_step_fails_for_good() -> None:
    scribe = MemoryScribe()
    with pytest.raises(BackendFailed, match="No ink"):
        await Scripted().answer(assigned([{"say": "a"}, {"fail": "No ink"}, {"say": "b"}]), scribe)
    assert scribe.answer == "a"


async def test_what_is_unavailable_so_often_is_then_available() -> None:
    script = [
        {"unavailable": "Overloaded", "times": 2, "retry_after_s": 3},
        {"say": "a"},
        {"unavailable": "Closed"},
        {"say": "b"},
    ]
    scribe = MemoryScribe()
    for message, retry_after_s in [("Overloaded", 3), ("Overloaded", 3), ("Closed", None)]:
        with pytest.raises(BackendUnavailable, match=message) as caught:
            await Scripted().answer(assigned(script, state=scribe.state), scribe)
        assert caught.value.retry_after_s == retry_after_s
        scribe.go_on()

    await Scripted().answer(assigned(script, state=scribe.state), scribe)
    assert scribe.pieces == ["a", "b"]


async def test_interrupted_anywhere_it_goes_on_to_the_same_answer() -> None:
    script = [
        {"say": "One two three. ", "pieces": 3},
        {"tool": "measure", "result": "42"},
        {"think": "So high", "pieces": 2},
        {"repeat": 2, "steps": [{"say": "Again and again. ", "pieces": 4}, {"tool": "weigh"}]},
    ]
    whole = await played(script)
    scribes = await interrupted_everywhere(Scripted(), lambda state: assigned(script, state=state))

    assert len(scribes) > 15
    for scribe in scribes:
        assert (scribe.answer, scribe.thoughts) == (whole.answer, whole.thoughts)
        assert scribe.resets == 0
        assert scribe.begun == whole.begun
        # No step that was finished is said again.
        assert len(scribe.pieces) <= len(whole.pieces) + 4


async def test_pieces_keep_the_pace_however_long_telling_takes() -> None:
    began = time.monotonic()
    await played([{"say": "abcdefghij", "pieces": 10, "every_ms": 20}])
    assert time.monotonic() - began >= 0.19
