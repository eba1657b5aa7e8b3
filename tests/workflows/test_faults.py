"""What fails is tried again, stopped, gone on with, or done once more, as it was asked for."""

import pytest
from channels.db import database_sync_to_async

from conversations.models import RawEvent
from tests.clients import Api, Json, eventually
from tests.workflows.running import Workflows, agent, approval, note, outputs, states, tool

pytestmark = pytest.mark.usefixtures("worker")

QUICKLY = {"attempts": 3, "wait_s": 0.1}
ENDLESS: Json = {"wait_ms": 60_000}


async def noted() -> list[Json]:
    rows = RawEvent.objects.filter(kind="noted").order_by("pk")
    found: list[Json] = await database_sync_to_async(lambda: [row.data for row in rows])()
    return found


def stumble(node_id: str, times: int, **rest: object) -> Json:
    return tool(node_id, "stumble", arguments={"times": times}, **rest)


async def test_a_node_is_tried_as_often_as_it_says_and_waits_in_between(
    workflows: Workflows,
) -> None:
    run = await workflows.run(
        stumble("twice", 2, retry=QUICKLY),
        stumble("always", 9, retry=QUICKLY),
        tool("hole", "stumble", arguments={"times": 0, "for_good": True}, retry=QUICKLY),
        tool("broken", "lie"),
    )

    done = await workflows.ended(run)

    nodes = {node["id"]: node for node in done["nodes"]}
    assert {name: (node["state"], node["attempt"]) for name, node in nodes.items()} == {
        "twice": ("completed", 3),
        "always": ("failed", 3),
        "hole": ("failed", 1),
        "broken": ("failed", 1),
    }
    assert (nodes["twice"]["output"], nodes["twice"]["error"]) == ({"tries": 3}, None)
    assert nodes["always"]["error"] == "Stumbled 3 times"
    assert nodes["broken"]["error"] == "Something went wrong: the log of the server has it"
    put_off = [
        frame["node"]
        for frame in await workflows.events(run)
        if frame.get("node", {}).get("id") == "twice" and frame["node"]["dueAt"]
    ]
    assert [(node["state"], node["error"]) for node in put_off] == [
        ("queued", "Stumbled 1 times"),
        ("queued", "Stumbled 2 times"),
    ]


async def test_an_agent_that_fails_is_asked_again(workflows: Workflows) -> None:
    run = await workflows.run(agent("ask", {"fail": "No words"}, retry=QUICKLY))

    done = await workflows.ended(run)

    assert (done["status"], done["error"]) == ("failed", "ask: No words")
    assert done["nodes"][0]["attempt"] == 3


async def test_an_effect_is_there_with_its_result_or_not_at_all(workflows: Workflows) -> None:
    run = await workflows.run(
        tool("tear", "note", arguments={"text": "torn", "fails": True}, retry=QUICKLY),
        note("keep"),
    )

    done = await workflows.ended(run)

    assert states(done) == {"tear": "failed", "keep": "completed"}
    assert [row["text"] for row in await noted()] == ["keep"]


async def test_what_takes_too_long_is_stopped(workflows: Workflows, api: Api) -> None:
    run = await workflows.run(
        tool("slow", "dawdle", arguments={"ms": 60_000}, timeout_s=0.2),
        agent("talk", ENDLESS, timeout_s=0.2),
        approval("ask", timeout_s=0.2),
        note("never", needs=["slow"]),
    )

    done = await workflows.ended(run)

    assert states(done) == {
        "slow": "failed",
        "talk": "failed",
        "ask": "failed",
        "never": "pending",
    }
    errors = {node["id"]: node["error"] for node in done["nodes"]}
    assert errors["slow"] == errors["talk"] == "It has taken too long"
    assert errors["ask"] == "Nobody has decided in time"
    talked = (await api.get(f"/api/projects/tower/runs/{done['nodes'][1]['agentRunId']}")).json()
    assert talked["run"]["status"] == "cancelled"


async def test_a_run_can_be_stopped_and_gone_on_with(workflows: Workflows, api: Api) -> None:
    run = await workflows.run(
        note("first"),
        agent("talk", ENDLESS, needs=["first"]),
        approval("ask", needs=["first"]),
        note("last", needs=["ask"]),
    )

    async def all_at_work() -> bool:
        found = states(await workflows.shown(run))
        return (found["talk"], found["ask"]) == ("running", "waiting")

    await eventually(all_at_work)
    assert (await workflows.do(run, "resume")).status_code == 409
    assert (await workflows.do(run, "rerun", node="first")).status_code == 409

    stopped = (await workflows.do(run, "cancel")).json()["run"]

    assert (stopped["status"], stopped["done"]) == ("cancelled", 4)
    assert states(stopped) == {
        "first": "completed",
        "talk": "cancelled",
        "ask": "cancelled",
        "last": "cancelled",
    }
    agent_run = f"/api/projects/tower/runs/{stopped['nodes'][1]['agentRunId']}"
    assert (await api.get(agent_run)).json()["run"]["status"] == "cancelled"
    assert (await workflows.do(run, "cancel")).status_code == 409
    assert (await workflows.do(run, "nodes/ask/approve")).status_code == 409

    resumed = (await workflows.do(run, "resume")).json()["run"]

    assert (resumed["status"], states(resumed)["first"]) == ("running", "completed")
    await eventually(all_at_work)
    await workflows.do(run, "cancel")
    assert [row["text"] for row in await noted()] == ["first"]


async def test_a_failed_run_goes_on_from_the_node_that_failed(workflows: Workflows) -> None:
    run = await workflows.run(
        note("first"),
        stumble("second", 1, needs=["first"]),
        {
            "id": "each",
            "kind": "map",
            "over": [0, 1, 0],
            "each": {"kind": "tool", "tool": "stumble", "arguments": {"times": "{{ item }}"}},
        },
        note("last", needs=["second", "each"]),
    )
    failed = await workflows.ended(run)
    assert states(failed) == {
        "first": "completed",
        "second": "failed",
        "each": "failed",
        "last": "pending",
    }
    assert failed["nodes"][2]["error"] == "1 of 3 failed, first each[1]: Stumbled 1 times"

    assert (await workflows.do(run, "resume")).status_code == 200

    done = await workflows.ended(run)
    assert set(states(done).values()) == {"completed"}
    assert (done["status"], done["error"]) == ("completed", None)
    # Those that were done are not done again: they would have been tried once more.
    assert outputs(done)["each"] == [{"tries": 1}, {"tries": 2}, {"tries": 1}]
    assert [row["text"] for row in await noted()] == ["first", "last"]
    assert (await workflows.do(run, "resume")).status_code == 409


async def test_a_run_can_be_run_again_from_a_node_on(workflows: Workflows) -> None:
    run = await workflows.run(
        note("first"),
        note("second", "after {{ nodes.first.output.noted }}"),
        {
            "id": "each",
            "kind": "map",
            "over": ["a"],
            "needs": ["second"],
            "each": {"kind": "tool", "tool": "note", "arguments": {"text": "{{ item }}"}},
        },
        note("beside"),
    )
    before = await workflows.ended(run)
    assert (await workflows.do(run, "rerun", node="roof")).status_code == 404

    assert (await workflows.do(run, "rerun", node="second")).status_code == 200

    done = await workflows.ended(run)
    assert (done["status"], outputs(done)) == ("completed", outputs(before))
    rows = await noted()
    texts = [row["text"] for row in rows]
    assert {text: texts.count(text) for text in texts} == {
        "first": 1,
        "beside": 1,
        "after first": 2,
        "a": 2,
    }
    # Its effect is another one: whoever has seen the key has not seen this.
    assert len({row["key"] for row in rows}) == len(rows)


async def test_a_reference_to_what_is_not_there_fails_the_node(workflows: Workflows) -> None:
    run = await workflows.run(
        note("first"),
        tool("weight", arguments={"value": "{{ nodes.first.output.weight }}"}),
        {
            "id": "each",
            "kind": "map",
            "over": "{{ nodes.first.output }}",
            "each": {"kind": "tool", "tool": "say_back"},
        },
        {
            "id": "which",
            "kind": "branch",
            "on": "{{ nodes.first.output.noted }}",
            "cases": [{"at_least": 1, "then": []}],
        },
    )

    errors = {node["id"]: node["error"] for node in (await workflows.ended(run))["nodes"]}

    assert errors == {
        "first": None,
        "weight": "There is no weight in nodes.first.output.weight",
        "each": 'It maps over a list, and not over {"noted": "first"}',
        "which": "'first' is not a number, and cannot be at least 1",
    }
