"""Workflows from their beginning to their end: nodes in order, and what each has come to."""

import pytest
from channels.db import database_sync_to_async

from conversations.models import RawEvent
from tests.clients import Api
from tests.workflows.running import Workflows, agent, approval, note, outputs, states, tool

pytestmark = pytest.mark.usefixtures("worker")


async def noted() -> list[str]:
    rows = RawEvent.objects.filter(kind="noted").order_by("pk")
    found: list[str] = await database_sync_to_async(lambda: [row.data["text"] for row in rows])()
    return found


async def test_what_a_node_comes_to_goes_into_the_next(workflows: Workflows) -> None:
    run = await workflows.run(
        agent("draft", {"say": "A tower of "}, {"say": "stone."}),
        note("keep", "{{ nodes.draft.output.text }} Five floors."),
        tool("length", arguments={"value": {"of": "{{ nodes.keep.output }}", "all": [1, True]}}),
    )

    done = await workflows.ended(run)

    assert states(done) == dict.fromkeys(["draft", "keep", "length"], "completed")
    assert outputs(done) == {
        "draft": {"text": "A tower of stone."},
        "keep": {"noted": "A tower of stone. Five floors."},
        "length": {"of": {"noted": "A tower of stone. Five floors."}, "all": [1, True]},
    }
    assert done["output"] == {"length": outputs(done)["length"]}
    assert await noted() == ["A tower of stone. Five floors."]
    assert done["createdAt"] <= done["startedAt"] <= done["finishedAt"]
    assert (done["status"], done["done"], done["total"]) == ("completed", 3, 3)


async def test_a_run_is_given_what_the_workflow_asks_for(workflows: Workflows) -> None:
    await workflows.save(
        tool("say", arguments={"value": "{{ input.floors }} of {{ input.stone }}"}),
        inputs={
            "stone": {"type": "string"},
            "floors": {"type": "integer", "required": False, "default": 5},
        },
        output={"said": "{{ nodes.say.output }}"},
    )

    run = await workflows.ended(await workflows.start(stone="granite"))

    assert run["input"] == {"stone": "granite", "floors": 5}
    assert run["output"] == {"said": "5 of granite"}


async def test_what_was_put_in_refers_to_nothing(workflows: Workflows) -> None:
    await workflows.save(
        agent("draft", {"say": "{{ input.text }}"}),
        tool("back", arguments={"value": "> {{ nodes.draft.output.text }}"}),
        inputs={"text": {"type": "string"}},
    )

    done = await workflows.ended(await workflows.start(text="{{ run.id }}"))

    assert outputs(done)["back"] == "> {{ run.id }}"


async def test_an_answer_may_be_data(workflows: Workflows) -> None:
    run = await workflows.run(
        agent("judge", {"say": '```json\n{"score": 0.9}\n```'}, answer="json"),
        tool("score", arguments={"value": "{{ nodes.judge.output.json.score }}"}),
        agent("chat", {"say": "About nine."}, answer="json"),
    )

    done = await workflows.ended(run)

    assert outputs(done)["score"] == 0.9
    assert done["status"] == "failed"
    assert done["error"] == "chat: The answer is no JSON: About nine."


@pytest.mark.parametrize(
    ("value", "taken"), [(0.9, "good"), (0.5, "fair"), (0.1, "poor"), (None, "poor")]
)
async def test_a_branch_goes_one_way_and_the_others_are_skipped(
    workflows: Workflows, value: float | None, taken: str
) -> None:
    await workflows.save(
        tool("score", arguments={"value": "{{ input.score }}"}),
        {
            "id": "which",
            "kind": "branch",
            "on": "{{ nodes.score.output }}",
            "cases": [
                {"equals": None, "then": ["poor"]},
                {"at_least": 0.8, "then": ["good"]},
                {"more_than": 0.4, "then": ["fair"]},
            ],
            "otherwise": ["poor"],
        },
        note("good"),
        note("fair"),
        note("poor"),
        note("after_good", needs=["good"]),
        note("end", "good: {{ nodes.good.output.noted }}.", needs=["after_good", "fair", "poor"]),
        inputs={"score": {"required": False}},
    )

    done = await workflows.ended(await workflows.start(score=value))

    found = states(done)
    assert {name for name in ("good", "fair", "poor") if found[name] == "completed"} == {taken}
    assert done["nodes"][1]["summary"].endswith(f": to {taken}")
    assert found["after_good"] == ("completed" if taken == "good" else "skipped")
    assert (found["end"], done["status"]) == ("completed", "completed")
    assert (await noted())[-1] == ("good: good." if taken == "good" else "good: .")


async def test_a_map_does_the_same_for_every_item_some_at_a_time(workflows: Workflows) -> None:
    run = await workflows.run(
        tool("list", arguments={"value": ["a", "b", "c", "d", "e"]}),
        {
            "id": "each",
            "kind": "map",
            "over": "{{ nodes.list.output }}",
            "at_once": 2,
            "each": {
                "kind": "tool",
                "tool": "note",
                "arguments": {"text": "{{ index }}: {{ item }}"},
            },
        },
        {
            "id": "asked",
            "kind": "map",
            "over": [{"say": "yes"}, {"say": "no"}],
            "each": {
                "kind": "agent",
                "agent": "scripted",
                "prompt": "Go on",
                "metadata": {"script": ["{{ item }}"]},
            },
        },
        {"id": "none", "kind": "map", "over": [], "each": {"kind": "tool", "tool": "say_back"}},
    )

    done = await workflows.ended(run)

    assert outputs(done)["each"] == [
        {"noted": f"{place}: {item}"} for place, item in enumerate("abcde")
    ]
    assert outputs(done)["asked"] == [{"text": "yes"}, {"text": "no"}]
    assert outputs(done)["none"] == []
    at_work: set[int] = set()
    most = 0
    for frame in await workflows.events(run):
        node = frame.get("node", {})
        if node.get("id") == "each" and node["item"] is not None:
            (at_work.add if node["state"] in ("queued", "running") else at_work.discard)(
                node["item"]
            )
            most = max(most, len(at_work))
    assert most == 2
    items = done["nodes"][1]["items"]
    assert [(item["item"], item["state"]) for item in items] == [(n, "completed") for n in range(5)]


async def test_nodes_that_need_nothing_of_each_other_go_on_at_once(workflows: Workflows) -> None:
    run = await workflows.run(
        *(tool(name, "dawdle", arguments={"ms": 400}) for name in ("one", "two", "three")),
        note("end", needs=["one", "two", "three"]),
    )

    done = await workflows.ended(run)

    begun = max(node["startedAt"] for node in done["nodes"][:3])
    assert begun < min(node["finishedAt"] for node in done["nodes"][:3])


async def test_a_person_is_waited_for_and_what_they_say_is_kept(
    workflows: Workflows, api: Api
) -> None:
    run = await workflows.run(
        agent("draft", {"say": "A tower."}),
        approval("ask", question="Build “{{ nodes.draft.output.text }}”?"),
        note("build", needs=["ask"]),
    )
    waiting = await workflows.reached(run, "waiting")
    assert states(waiting) == {"draft": "completed", "ask": "waiting", "build": "pending"}
    assert waiting["nodes"][1]["input"] == {"question": "Build “A tower.”?"}
    assert (await workflows.do(run, "nodes/draft/approve")).status_code == 409
    assert (await workflows.do(run, "nodes/roof/approve")).status_code == 404

    answer = await workflows.do(run, "nodes/ask/approve", comment="With a roof")

    assert answer.status_code == 200
    done = await workflows.ended(run)
    said = outputs(done)["ask"]
    assert (said["approved"], said["by"], said["comment"]) == (True, "key tests", "With a roof")
    assert said["at"] <= done["finishedAt"]
    assert await noted() == ["build"]
    assert (await workflows.do(run, "nodes/ask/reject")).status_code == 409


async def test_what_is_rejected_fails_unless_a_branch_asks(workflows: Workflows) -> None:
    await workflows.save(approval("ask"), note("build", needs=["ask"]), name="strict")
    strict = await workflows.start("strict")
    await workflows.save(
        approval("ask", rejected="continue"),
        {
            "id": "which",
            "kind": "branch",
            "on": "{{ nodes.ask.output.approved }}",
            "cases": [{"equals": True, "then": ["build"]}],
            "otherwise": ["tear_down"],
        },
        note("build"),
        note("tear_down"),
        name="lenient",
    )
    lenient = await workflows.start("lenient")

    for run in (strict, lenient):
        answer = await workflows.do(run, "nodes/ask/reject", comment="Too tall")
        assert answer.status_code == 200, answer.text

    failed = await workflows.ended(strict)
    assert failed["error"] == "ask: Rejected by key tests: Too tall"
    assert states(failed) == {"ask": "failed", "build": "pending"}
    assert (await workflows.ended(lenient))["status"] == "completed"
    assert await noted() == ["tear_down"]


async def test_what_happens_is_told_in_order_on_the_run_and_on_the_project(
    workflows: Workflows, api: Api
) -> None:
    run = await workflows.run(note("first"), note("second", needs=["first"]))
    await workflows.ended(run)

    told = await workflows.events(run)

    assert [frame["seq"] for frame in told] == list(range(1, len(told) + 1))
    happened = [
        (frame["node"]["id"], frame["node"]["state"])
        if "node" in frame
        else ("run", frame["workflow"]["status"])
        for frame in told
    ]
    assert happened == [
        ("run", "queued"),
        ("first", "pending"),
        ("second", "pending"),
        ("first", "queued"),
        ("run", "running"),
        ("first", "running"),
        ("first", "completed"),
        ("second", "queued"),
        ("second", "running"),
        ("second", "completed"),
        ("run", "completed"),
    ]
    assert {frame["type"] for frame in told} == {
        "workflow.run.updated",
        "workflow.node_state.updated",
    }
    ended = next(
        frame["node"] for frame in told if frame.get("node", {}).get("state") == "completed"
    )
    assert (ended["runId"], ended["attempt"], ended["summary"]) == (
        run["id"],
        1,
        '{"noted": "first"}',
    )
    assert ended["durationMs"] >= 0
