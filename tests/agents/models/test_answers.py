"""A model answers: what it streams is told as it comes, and what it asks for is done."""

import asyncio
import os
import random
import subprocess
import sys
from typing import Any

import pytest

from agents.backends.base import Turn
from agents.errors import BackendFailed
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
from tests.clients import eventually
from tests.vendors import Answer, FakeVendors, Ping, Text, Thinking, ToolUse, Unknown, Wait

LETTERS = 'abc <>/\n\t"\\{}:.,é塔🦊\u2028\u200d'


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("cut", ["bytes", "anywhere", "events"])
async def test_an_answer_is_told_to_the_letter(vendors: FakeVendors, model: str, cut: Any) -> None:
    chance = random.Random(f"{model} {cut}")
    for _ in range(3 if cut == "bytes" else 15):
        texts = ["".join(chance.choices(LETTERS, k=chance.randint(1, 40))) for _ in range(4)]
        pieces = tuple(Text(text=text, each=chance.randint(0, 3)) for text in texts)
        vendors.play(Answer(pieces=pieces, cut=cut))
        assert (await answered(assignment(model))).answer == "".join(texts)


@pytest.mark.parametrize("model", BOTH)
async def test_each_piece_of_the_vendor_is_a_piece_of_ours(
    vendors: FakeVendors, model: str
) -> None:
    vendors.play(Answer(pieces=(Text(text="42 m", each=1), Ping(), Unknown(), Text(text=" high"))))
    scribe = await answered(assignment(model))
    assert scribe.pieces == ["4", "2", " ", "m", " high"]


async def test_a_server_that_leaves_much_out_is_understood(vendors: FakeVendors) -> None:
    tool = Recorder()
    use = ToolUse(id="t1", name="look_up", arguments={"what": "it"}, each=100)
    vendors.play(
        Answer(pieces=(Thinking(text="Hm."), Text(text="Well: "), use), is_sparse=True),
        Answer(pieces=(Text(text="42 m", each=1),), is_sparse=True),
    )
    scribe = await answered(assignment(OPENAI, tool))
    assert (scribe.answer, scribe.thoughts) == ("Well: 42 m", "Hm.")
    assert tool.calls == [{"what": "it"}]


@pytest.mark.parametrize("model", BOTH)
async def test_a_piece_is_told_before_the_next_has_come(vendors: FakeVendors, model: str) -> None:
    vendors.play(Answer(pieces=(Text(text="now"), Wait(seconds=60), Text(text="later"))))
    scribe = MemoryScribe()
    told = asyncio.create_task(model_backend().answer(assignment(model), scribe))
    await eventually(lambda: scribe.answer == "now")
    told.cancel()
    with pytest.raises(asyncio.CancelledError):
        await told


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("cut", ["bytes", "anywhere"])
async def test_thoughts_are_told_apart(vendors: FakeVendors, model: str, cut: Any) -> None:
    vendors.play(
        Answer(
            pieces=(
                Thinking(text="The tower, ", each=4),
                Text(text="<thinking>which one?</thinking>It is <thin", each=1),
                Text(text=" as air> high. <think>Or", each=5),
            ),
            cut=cut,
        )
    )
    scribe = await answered(assignment(model))
    assert scribe.answer == "It is <thin as air> high. "
    assert scribe.thoughts == "The tower, which one?Or"


@pytest.mark.parametrize("model", BOTH)
async def test_a_tag_that_is_a_piece_of_its_own_is_a_tag_like_any(
    vendors: FakeVendors, model: str
) -> None:
    pieces = ["<think>", "Which", "</thi", "nk>", "\n", "It is", "</think>", " high"]
    vendors.play(Answer(pieces=tuple(Text(text=piece) for piece in pieces)))
    scribe = await answered(assignment(model))
    assert (scribe.answer, scribe.thoughts) == ("\nIt is</think> high", "Which")


@pytest.mark.parametrize("model", BOTH)
async def test_tools_find_and_the_model_goes_on_with_it(vendors: FakeVendors, model: str) -> None:
    tool = Recorder()
    vendors.play(
        Answer(
            pieces=(
                Thinking(text="Hm.", signature="c2lnbmVk"),
                Text(text="Let me see. "),
                ToolUse(id="t1", name="look_up", arguments={"what": "towers"}, each=1),
                ToolUse(id="t2", name="look_up", arguments={"what": "塔"}),
            )
        ),
        Answer(pieces=(Text(text="42 m."),)),
    )
    scribe = await answered(assignment(model, tool))

    assert scribe.answer == "Let me see. 42 m."
    assert sorted(call["what"] for call in tool.calls) == ["towers", "塔"]
    assert [(call.call_id, call.status, call.summary) for call in scribe.calls.values()] == [
        ("t1", "ok", "found"),
        ("t2", "ok", "found"),
    ]
    second = vendors.requests[1]
    assert (second.question, second.responses) == ("How high is the tower?", 1)
    assert results_in(second.body) == {"t1": "about towers", "t2": "about 塔"}
    if model == ANTHROPIC:
        assert second.body["messages"][1]["content"][0] == {
            "type": "thinking",
            "thinking": "Hm.",
            "signature": "c2lnbmVk",
        }


async def test_what_is_asked_for_at_once_is_done_side_by_side(vendors: FakeVendors) -> None:
    everybody = asyncio.Barrier(3)

    class Meeting(Recorder):
        async def __call__(self, arguments: Any) -> Any:
            await everybody.wait()
            return await Recorder.__call__(self, arguments)

    uses = [ToolUse(id=f"t{n}", name="look_up", arguments={"what": str(n)}) for n in range(3)]
    vendors.play(Answer(pieces=tuple(uses)), Answer(pieces=(Text(text="Done."),)))
    async with asyncio.timeout(60):
        scribe = await answered(assignment(ANTHROPIC, Meeting()))
    assert list(scribe.calls) == ["t0", "t1", "t2"]


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("look_up", {"what": 3}, "at $.what: 3 is not of type 'string'"),
        ("look_up", {}, "at $: 'what' is a required property"),
        ("look_up", {"what": "a", "where": "b"}, "'where' was unexpected"),
        ("look_up", '{"what": "a', "not a JSON object"),
        ("look_up", "[]", "not a JSON object"),
        ("fly", {"what": "a"}, "no such tool; there are: update_plan, look_up"),
        ("update_plan", {"items": [{"id": "1"}]}, "at $.items[0]: 'text' is a required property"),
    ],
)
async def test_a_call_that_does_not_fit_is_not_made_and_the_model_hears_why(
    vendors: FakeVendors, model: str, name: str, arguments: Any, told: str
) -> None:
    tool = Recorder()
    vendors.play(
        Answer(pieces=(ToolUse(id="t1", name=name, arguments=arguments),)),
        Answer(pieces=(ToolUse(id="t2", name="look_up", arguments={"what": "towers"}),)),
        Answer(pieces=(Text(text="42 m."),)),
    )
    scribe = await answered(assignment(model, tool))
    assert told in results_in(vendors.requests[1].body)["t1"]
    assert tool.calls == [{"what": "towers"}]
    assert list(scribe.calls) == ["t2"]
    assert scribe.answer == "42 m."


@pytest.mark.parametrize("model", BOTH)
async def test_the_plan_is_shown_as_a_plan(vendors: FakeVendors, model: str) -> None:
    items = [
        {"id": "1", "text": "Measure", "status": "completed"},
        {"id": "2", "text": "Say it", "status": "in_progress"},
    ]
    vendors.play(
        Answer(pieces=(ToolUse(id="p1", name="update_plan", arguments={"items": items}),)),
        Answer(pieces=(Text(text="42 m."),)),
    )
    scribe = await answered(assignment(model))
    assert [[(item.id, item.text, item.status) for item in plan] for plan in scribe.plans] == [
        [("1", "Measure", "completed"), ("2", "Say it", "in_progress")]
    ]
    assert scribe.calls == {}


async def test_calls_that_share_an_id_are_told_apart(vendors: FakeVendors) -> None:
    tool = Recorder()
    uses = [
        Answer(pieces=(ToolUse(id="call_0", name="look_up", arguments={"what": what}),))
        for what in ("one", "two")
    ]
    vendors.play(*uses, Answer(pieces=(Text(text="Both."),)))
    scribe = await answered(assignment(OPENAI, tool))
    assert [call["what"] for call in tool.calls] == ["one", "two"]
    assert len(scribe.calls) == 2
    assert list(results_in(vendors.requests[2].body).values()) == ["about one", "about two"]


@pytest.mark.parametrize("model", BOTH)
async def test_the_model_hears_who_it_is_and_what_was_said_before(
    vendors: FakeVendors, model: str
) -> None:
    history = [
        Turn(role="user", content="Is there a tower?"),
        Turn(role="assistant", content="There is."),
        Turn(role="assistant", content=""),
    ]
    given = assignment(
        model, history=history, prompt="You know towers.", most_tokens=77, temperature=0.5
    )
    await answered(given)

    body = vendors.requests[0].body
    assert (body["max_tokens"], body["temperature"]) == (77, 0.5)
    said = [(message["role"], text_of(message["content"])) for message in body["messages"]]
    if model == ANTHROPIC:
        assert text_of(body["system"]) == "You know towers."
    else:
        assert said.pop(0) == ("system", "You know towers.")
        assert body["stream_options"] == {"include_usage": True}
    assert said == [
        ("user", "Is there a tower?"),
        ("assistant", "There is."),
        ("user", "How high is the tower?"),
    ]


async def test_who_thinks_has_room_for_it_beside_the_answer(vendors: FakeVendors) -> None:
    await answered(assignment(ANTHROPIC, thinks=True, temperature=0.5))
    body = vendors.requests[0].body
    assert body["thinking"]["type"] == "enabled"
    assert body["max_tokens"] >= body["thinking"]["budget_tokens"] + 4096
    assert "temperature" not in body


async def test_who_uses_tools_reads_what_was_said_from_the_cache(vendors: FakeVendors) -> None:
    await answered(assignment(ANTHROPIC, Recorder()))
    await answered(assignment(ANTHROPIC))
    assert ["cache_control" in str(request.body) for request in vendors.requests] == [True, False]


async def test_requests_have_an_end(vendors: FakeVendors) -> None:
    vendors.when(
        "tower", Answer(pieces=(ToolUse(id="t", name="look_up", arguments={"what": "it"}),))
    )
    with pytest.raises(BackendFailed, match="within 3 requests"):
        await answered(assignment(ANTHROPIC, Recorder(), most_requests=3))
    assert len(vendors.requests) == 3


@pytest.mark.parametrize("model", BOTH)
async def test_an_answer_that_is_cut_short_says_so(vendors: FakeVendors, model: str) -> None:
    vendors.play(Answer(pieces=(Text(text="It is"),), stop="length"))
    scribe = await answered(assignment(model, most_tokens=9))
    assert scribe.answer == "It is"
    assert scribe.statuses == ["The answer ends here: it may have 9 tokens"]


@pytest.mark.parametrize("model", BOTH)
async def test_two_hundred_runs_stream_at_once(vendors: FakeVendors, model: str) -> None:
    vendors.when("tower", Answer(pieces=(Text(text="a"), Wait(seconds=600))))
    runs = [asyncio.create_task(answered(assignment(model))) for _ in range(200)]
    await eventually(lambda: sum(asked.begun.is_set() for asked in vendors.requests) == 200)
    assert not any(run.done() for run in runs)
    for run in runs:
        run.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError)
        for end in await asyncio.gather(*runs, return_exceptions=True)
    )


@pytest.mark.parametrize(("key", "loaded"), [("k", "['openai', 'pydantic_ai']"), ("", "[]")])
def test_vendors_are_loaded_by_workers_that_have_a_model_to_ask(key: str, loaded: str) -> None:
    tell = "print(sorted({'pydantic_ai', 'openai'} & set(sys.modules)))"
    code = (
        "import sys, django; django.setup(); "
        f"import agentpipe.asgi, agentpipe.urls, agentpipe.server; {tell}; "
        f"from agents import roster; roster.load(); {tell}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ANTHROPIC_API_KEY": key},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["[]", loaded]


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def results_in(body: dict[str, Any]) -> dict[str, str]:
    """What the calls have found, as the model is told it."""
    found = {}
    for message in body["messages"]:
        if message["role"] == "tool":
            found[message["tool_call_id"]] = text_of(message["content"])
        elif isinstance(message["content"], list):
            for part in message["content"]:
                if part["type"] == "tool_result":
                    found[part["tool_use_id"]] = text_of(part["content"])
    return found
