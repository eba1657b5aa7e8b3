"""A run that is stopped lets go of the vendor at once; whatever was used is counted and paid."""

import asyncio
import time
from decimal import Decimal

import pytest
from genai_prices import Usage as Priced
from genai_prices import calc_price

from agents.backends.base import Usage
from agents.errors import BackendUnavailable
from tests.agents.models.asking import (
    ANTHROPIC,
    BOTH,
    OPENAI,
    Recorder,
    answered,
    assignment,
    model_backend,
)
from tests.agents.scribes import MemoryScribe
from tests.clients import DEADLINE_S, eventually
from tests.vendors import Answer, Drop, Failure, FakeVendors, Refusal, Text, ToolUse, Wait

SIXTH = Decimal("0.000001")
ENDLESS = Text(text="on and ", times=10**9, pace_s=0.02)
COUNTED = {
    "input_tokens": 10_001,
    "output_tokens": 1_234,
    "cache_read_tokens": 5_003,
    "cache_write_tokens": 2_007,
}


@pytest.mark.parametrize("model", BOTH)
async def test_a_run_that_is_cancelled_leaves_the_vendor_within_half_a_second(
    vendors: FakeVendors, model: str
) -> None:
    took_s = [await time_to_leave(vendors, model) for _ in range(4)]

    # What a busy machine does to some of them says nothing of the way.
    assert min(took_s) < 0.5


async def time_to_leave(vendors: FakeVendors, model: str) -> float:
    vendors.play(Answer(pieces=(ENDLESS,)))
    scribe = MemoryScribe()
    run = asyncio.create_task(model_backend().answer(assignment(model), scribe))
    await eventually(lambda: len(scribe.pieces) > 2)

    stopped_at = time.monotonic()
    await cancelled(run)
    assert await asyncio.to_thread(vendors.requests[-1].over.wait, DEADLINE_S)

    assert vendors.requests[-1].left_at is not None
    assert scribe.spent.requests == 1
    return vendors.requests[-1].left_at - stopped_at


@pytest.mark.parametrize("model", BOTH)
async def test_a_run_that_is_cancelled_before_the_first_piece_leaves_as_well(
    vendors: FakeVendors, model: str
) -> None:
    vendors.play(Answer(pieces=(Wait(seconds=60),)))
    run = asyncio.create_task(answered(assignment(model)))
    await eventually(lambda: bool(vendors.requests) and vendors.requests[0].begun.is_set())
    await cancelled(run)
    assert await asyncio.to_thread(vendors.requests[0].over.wait, DEADLINE_S)


async def test_a_run_that_is_cancelled_stops_its_tools(vendors: FakeVendors) -> None:
    stopped: list[str] = []

    class Endless(Recorder):
        async def __call__(self, arguments: dict[str, str]) -> None:  # type: ignore[override]
            self.calls.append(arguments)
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(arguments["what"])

    tool = Endless()
    uses = [ToolUse(id=what, name="look_up", arguments={"what": what}) for what in "ab"]
    vendors.play(Answer(pieces=tuple(uses)))
    run = asyncio.create_task(answered(assignment(ANTHROPIC, tool)))  # type: ignore[arg-type]
    await eventually(lambda: len(tool.calls) == 2)
    await cancelled(run)
    assert sorted(stopped) == ["a", "b"]


@pytest.mark.parametrize("model", BOTH)
async def test_a_whole_run_costs_what_the_vendor_counted(vendors: FakeVendors, model: str) -> None:
    use = ToolUse(id="t", name="look_up", arguments={"what": "it"})
    vendors.play(
        Answer(pieces=(use,), **COUNTED), Answer(pieces=(Text(text="It is."),), output_tokens=3)
    )
    scribe = await answered(assignment(model, Recorder()))
    assert scribe.spent == usage(model, COUNTED) + usage(model, {"output_tokens": 3})
    assert scribe.spent.requests == 2
    assert not scribe.spent.is_estimated


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("end", [Drop(), Failure()])
async def test_what_failed_on_the_way_costs_what_it_had_used(
    vendors: FakeVendors, model: str, end: Drop | Failure
) -> None:
    said = "The tower is as high as anybody knows. " * 20
    vendors.play(Answer(pieces=(Text(text=said, each=9), end), **COUNTED))
    scribe = MemoryScribe()
    with pytest.raises(BackendUnavailable):
        await model_backend().answer(assignment(model), scribe)
    assert scribe.spent == partly(model, said)


@pytest.mark.parametrize("model", BOTH)
async def test_what_was_cancelled_costs_what_it_had_used(vendors: FakeVendors, model: str) -> None:
    said = "Der Turm 塔 ist hoch. " * 20
    vendors.play(Answer(pieces=(Text(text=said, each=9), Wait(seconds=60)), **COUNTED))
    scribe = MemoryScribe()
    run = asyncio.create_task(model_backend().answer(assignment(model), scribe))
    await eventually(lambda: scribe.answer == said)
    await cancelled(run)
    assert scribe.spent == partly(model, said)


@pytest.mark.parametrize("model", BOTH)
async def test_who_is_cancelled_after_the_vendor_has_counted_pays_that(
    vendors: FakeVendors, model: str
) -> None:
    use = ToolUse(id="t", name="look_up", arguments={"what": "it"})
    vendors.play(
        Answer(pieces=(use,), **COUNTED), Answer(pieces=(Text(text="a"), Wait(seconds=60)))
    )
    scribe = MemoryScribe()
    run = asyncio.create_task(model_backend().answer(assignment(model, Recorder()), scribe))
    await eventually(lambda: scribe.answer == "a")
    counted = scribe.spent
    await cancelled(run)
    assert counted == usage(model, COUNTED)
    assert scribe.spent.requests == 2
    assert scribe.spent.is_estimated


async def test_a_server_that_counts_nothing_is_estimated(vendors: FakeVendors) -> None:
    vendors.play(Answer(pieces=(Text(text="It is high."),), counts=False))
    scribe = await answered(assignment(OPENAI, prompt="Be brief."))
    # A token for four bytes of what was asked and of what was said.
    assert (scribe.spent.input_tokens, scribe.spent.output_tokens) == (8, 3)
    assert scribe.spent.is_estimated


@pytest.mark.parametrize("model", BOTH)
async def test_what_the_vendor_refused_costs_nothing(vendors: FakeVendors, model: str) -> None:
    vendors.play(Refusal(status=529))
    scribe = MemoryScribe()
    with pytest.raises(BackendUnavailable):
        await model_backend().answer(assignment(model), scribe)
    assert scribe.spent == Usage()


async def cancelled(run: "asyncio.Task[object]") -> None:
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


def usage(model: str, counted: dict[str, int], *, is_estimated: bool = False) -> Usage:
    """As our own records have it, priced by genai-prices; of the fake vendor's own numbers."""
    vendor, _, name = model.partition(":")
    counted = {"input_tokens": 25, "cache_read_tokens": 0, "cache_write_tokens": 0, **counted}
    if vendor == "openai":
        # It does not say what was written to its cache.
        written = counted.pop("cache_write_tokens")
        counted = {**counted, "input_tokens": counted["input_tokens"] + written}
    cached = counted["cache_read_tokens"] + counted.get("cache_write_tokens", 0)
    whole = {**counted, "input_tokens": counted["input_tokens"] + cached}
    cost = calc_price(Priced(**whole), name, provider_id=vendor).total_price
    return Usage(**whole, cost=cost, requests=1, is_estimated=is_estimated)


def partly(model: str, said: str) -> Usage:
    """Anthropic says at the beginning what it has read, OpenAI at the end."""
    output = {"output_tokens": -(-len(said.encode()) // 4)}
    if model == ANTHROPIC:
        return usage(model, {**COUNTED, **output}, is_estimated=True)
    asked = len(b"How high is the tower?")
    return usage(model, {"input_tokens": -(-asked // 4), **output}, is_estimated=True)
