"""Events of other frameworks: kept and told like our own, all of them or none."""

import copy
import json
import random
from typing import Any

from channels.db import database_sync_to_async

from agents import queue
from agents.models import AgentRun
from conversations.ingest.reading import read_json
from conversations.models import Project
from tests.clients import Api, Json, Socket
from workflows.errors import Invalid
from workflows.outside.reading import read_events

JSON = {"Content-Type": "application/json"}
EVENTS = "/api/projects/tower/events"
TIMES = {"startedAt": "2026-11-21T10:00:00Z", "finishedAt": "2026-11-21T10:01:00Z"}
# One of every kind, with all that it can say.
RUN: Json = {
    **{"id": "run-7", "agentId": "ada", "agentName": "Ada", "model": "m", "prompt": "Build"},
    **{"status": "running", "output": "A tower", "error": "", "metadata": {"a": [1]}},
    **{"toolCalls": 1, "inputTokens": 2, "outputTokens": 3, "totalTokens": 5, "cost": 0.5},
    **TIMES,
}
STEP: Json = {
    **{"id": "call-1", "runId": "run-7", "agentId": "ada", "name": "measure", "status": "ok"},
    **{"argsSummary": "what='tower'", "result": "42 m", "resultSummary": "42 m", "ms": 12},
    **TIMES,
}
MESSAGE: Json = {"id": "m-1", "runId": "run-7", "agentId": "ada", "role": "agent", "content": "42"}
PROGRESS: Json = {
    **{"agentId": "ada", "runId": "run-7", "status": "running", "percentage": 50},
    **{"currentStep": 1, "totalSteps": 2, "estimatedTimeRemaining": 9.5, "tokensUsed": 5},
    **{"cost": 0.25, "content": "so far", "reasoning": "why", "confidence": 0.5},
}
WORKFLOW: Json = {
    **{"id": "w-1", "workflow": "raise", "status": "running", "input": {"a": 1}},
    **{"output": {"b": 2}, "error": "", **TIMES},
}
NODE: Json = {
    **{"id": "draft", "runId": "w-1", "workflow": "raise", "item": 0, "kind": "agent"},
    **{"title": "Draft", "state": "running", "attempt": 1, "summary": "s", "error": ""},
    **{"input": {}, "output": {"text": "t"}, **TIMES},
}
SCORE: Json = {"measure": "readability", "value": 71.5, "name": "Flesch", "why": "short words"}
QUALITY: Json = {"runId": "w-1", "sectionId": "hero", "total": 71.5, "scores": [SCORE]}
SECTION: Json = {
    **{"sectionId": "hero", "runId": "w-1", "updates": {"headline": "Up"}, "complete": False},
}
ONE_OF_EACH: list[Json] = [
    *({"type": f"agent.run.{what}", "run": RUN} for what in ("created", "updated")),
    {"type": "agent.step.updated", "step": STEP},
    {"type": "agent.message.appended", "message": MESSAGE},
    {"type": "agent.progress", "progress": PROGRESS},
    {"type": "agent.run.completed", "run": RUN},
    {"type": "agent.complete", "progress": PROGRESS},
    {"type": "agent.run.failed", "run": {"id": "run-8", "agentId": "bob", "error": "No stone"}},
    {"type": "workflow.run.updated", "workflow": WORKFLOW},
    {"type": "workflow.node_state.updated", "node": NODE},
    {"type": "quality.updated", "quality": QUALITY},
    {"type": "preview.section.updated", "section": SECTION},
]


async def told(api: Api, *events: Json, **headers: str) -> Json:
    answer = await api.post(EVENTS, json=[*events], headers=headers)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    assert found["accepted"] == len(events)
    return found


async def refused(api: Api, body: Any) -> list[Json]:
    answer = await api.post(EVENTS, json=body)
    assert answer.status_code == 400, answer.text
    details: list[Json] = answer.json()["details"]
    return details


async def read(api: Api, path: str) -> Any:
    answer = await api.get(f"/api/projects/tower/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_every_kind_is_told_under_the_id_that_is_answered(api: Api, key: str) -> None:
    async with Socket("/api/stream/projects/tower", key=key) as socket:
        await socket.frame()
        answer = await told(api, *ONE_OF_EACH)
        ids = {event["id"]: event["type"] for event in answer["events"]}
        frames: list[Json] = []
        while not frames or frames[-1]["id"] != answer["events"][-1]["id"]:
            frames.append(await socket.frame())

    assert [event["type"] for event in answer["events"]] == [one["type"] for one in ONE_OF_EACH]
    assert [ids[frame["id"]] for frame in frames if frame["id"] in ids] == [*ids.values()]
    by_type = {frame["type"]: frame for frame in frames if frame["id"] in ids}
    assert by_type["agent.run.completed"]["run"]["status"] == "completed"
    assert by_type["agent.step.updated"]["step"]["resultSummary"] == "42 m"
    assert by_type["agent.message.appended"]["message"]["content"] == "42"
    assert by_type["quality.updated"]["quality"]["scores"][0]["value"] == 71.5
    assert by_type["preview.section.updated"]["section"]["updates"] == {"headline": "Up"}
    assert by_type["workflow.node_state.updated"]["node"]["state"] == "running"


async def test_what_is_told_is_found_where_our_own_is(api: Api) -> None:
    await told(api, *ONE_OF_EACH)

    runs = (await read(api, "runs"))["items"]
    assert {run["id"]: run["status"] for run in runs} == {
        "run-7": "completed",
        "run-8": "failed",
    }
    run = (await read(api, "runs/run-7"))["run"]
    assert (run["agentName"], run["output"], run["totalTokens"]) == ("Ada", "A tower", 5)
    assert (run["durationMs"], run["finishedAt"]) == (60_000, TIMES["finishedAt"])
    progress = await read(api, "progress")
    assert {one["agentId"]: one["status"] for one in progress["agents"]} == {
        "ada": "completed",
        "bob": "failed",
    }
    flow = (await read(api, "workflow-runs/w-1"))["run"]
    assert (flow["workflow"], flow["source"], flow["status"]) == ("raise", "outside", "running")
    assert (await read(api, "preview?run=w-1"))["items"][0]["updates"] == {"headline": "Up"}
    quality = await read(api, "quality?run=w-1")
    assert quality["items"][0]["total"] == 71.5


async def test_a_single_event_needs_no_array(api: Api) -> None:
    answer = await api.post(EVENTS, json=ONE_OF_EACH[0])

    assert (answer.status_code, answer.json()["accepted"]) == (201, 1)
    answer = await api.post(EVENTS, json={"type": "agent.progress", "progress": {}})
    assert answer.json()["details"] == [
        {"path": ["progress", "agentId"], "message": "Required", "code": "required"}
    ]


async def test_one_that_is_bad_leaves_nothing_of_the_others(api: Api) -> None:
    bad = {"type": "agent.step.updated", "step": {**STEP, "status": "fine", "ms": -1}}
    nobody = {"type": "agent.dreamed", "timestamp": "soon"}
    late = {"type": "quality.updated", "timestamp": "soon", "quality": {"scores": {"a": 101}}}

    details = await refused(api, [ONE_OF_EACH[0], bad, 7, nobody, late])

    assert [fault["path"] for fault in details] == [
        *([1, "step", "status"], [1, "step", "ms"], [2], [3, "type"]),
        *([4, "timestamp"], [4, "quality", "scores", 0, "value"]),
    ]
    assert (await read(api, "runs"))["items"] == []
    assert (await api.get("/api/conversations")).status_code == 200
    assert await refused(api, [])
    assert await refused(api, [ONE_OF_EACH[0]] * 1_001)


async def test_nobody_outside_speaks_for_a_run_of_ours(api: Api, project: Project) -> None:
    own = await AgentRun.objects.acreate(project=project, agent_id="guide", agent_name="Guide")

    taken = {"type": "agent.run.completed", "run": {**RUN, "id": own.public_id}}
    step = {"type": "agent.step.updated", "step": {**STEP, "runId": own.public_id}}

    assert (await refused(api, [ONE_OF_EACH[0], taken]))[0]["path"] == [1, "run", "id"]
    assert (await refused(api, step))[0]["path"] == ["step", "runId"]
    assert [run["status"] for run in (await read(api, "runs"))["items"]] == ["queued"]


async def test_whatever_comes_first_of_a_run_opens_it_and_its_end_stays(api: Api) -> None:
    await told(api, {"type": "agent.step.updated", "step": {**STEP, "runId": "late"}})
    assert (await read(api, "runs/late"))["run"]["status"] == "running"
    end = {"type": "agent.run.completed", "run": {"id": "late", "agentId": "ada"}}
    await told(api, end, {"type": "agent.run.updated", "run": {"id": "late", "agentId": "ada"}})
    await told(api, {"type": "agent.progress", "progress": {**PROGRESS, "runId": "late"}})

    run = (await read(api, "runs/late"))["run"]
    assert (run["status"], run["toolCalls"]) == ("completed", 1)
    assert (await read(api, "agents/ada/progress"))["status"] == "completed"
    for action in ("cancel", "resume"):
        answer = await api.post(f"/api/projects/tower/runs/late/{action}")
        assert answer.status_code == 409
        assert "another framework" in answer.json()["error"]


async def test_a_run_from_outside_is_followed_step_by_step(api: Api, key: str) -> None:
    quick = {"id": "quick", "agentId": "ada"}
    async with Socket("/api/stream", key=key) as socket:
        await socket.frame()
        await told(api, {"type": "agent.run.created", "run": quick})
        await socket.send_json_to({"action": "subscribe", "stream": "run:quick"})
        await socket.frame()
        called = {**STEP, "runId": "quick"}
        await told(
            api,
            {"type": "agent.step.updated", "step": {**called, "status": "running"}},
            {"type": "agent.run.updated", "run": quick},
            {"type": "agent.step.updated", "step": called},
            {"type": "agent.message.appended", "message": {**MESSAGE, "runId": "quick"}},
            {"type": "agent.run.completed", "run": {**quick, "output": "42 m", "cost": 0.5}},
            {"type": "agent.step.updated", "step": {**called, "status": "error"}},
        )
        frames: list[Json] = []
        while not frames or frames[-1]["type"] != "unsubscribed":
            frames.append(await socket.frame())

    assert [frame["type"] for frame in frames[:-1]] == [
        *["start", "tool_start", "tool_end", "content", "content", "end"]
    ]
    assert "".join(frame.get("md", "") for frame in frames) == "42 m"
    listed = await read(api, "runs/quick/events")
    assert [step["type"] for step in listed] == [frame["type"] for frame in frames[:-1]]


async def test_runs_from_outside_are_no_work_for_our_workers(api: Api) -> None:
    await told(api, ONE_OF_EACH[0])

    assert not await database_sync_to_async(lambda: queue.without_job().exists())()


async def test_a_repetition_is_answered_as_the_first_and_told_once(api: Api) -> None:
    first = await told(api, *ONE_OF_EACH, **{"Idempotency-Key": "k-1"})

    assert await told(api, *ONE_OF_EACH, **{"Idempotency-Key": "k-1"}) == first

    other = await api.post(EVENTS, json=ONE_OF_EACH[:1], headers={"Idempotency-Key": "k-1"})
    assert other.status_code == 422
    again = await told(api, *ONE_OF_EACH, **{"Idempotency-Key": "k-2"})
    assert again["events"][0]["id"] != first["events"][0]["id"]


# Malformed

WRONG: list[Any] = [
    *[None, True, -1, 0.5, 2**63, 2**64, 10**40, 1e300, "", " ", "x" * 300, "\0", "a/b", "\ud800"],
    *[[], {}, [[]], {"a": {"b": []}}, "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00"],
    *["9999-12-31T23:59:59-23:59", "1e5", "NaN", "running", "completed"],
]


def malformed(chance: random.Random) -> Any:
    """One of each kind, changed in one to three places; now and then in an array."""
    event = copy.deepcopy(chance.choice(ONE_OF_EACH))
    for _ in range(chance.randint(1, 3)):
        place: Any = event
        while True:
            names = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not names:
                break
            name = chance.choice(names)
            inner = place[name]
            if isinstance(inner, (dict, list)) and inner and chance.random() < 0.8:
                place = inner
                continue
            if isinstance(place, dict) and chance.random() < 0.2:
                del place[name]
            else:
                place[name] = copy.deepcopy(chance.choice(WRONG))
            break
    return event if chance.random() < 0.7 else [ONE_OF_EACH[0], event]


def _leads_into(body: Any, path: list[str | int]) -> bool:
    """To something that is there, or to what is lacking where it should be."""
    if isinstance(body, list):
        return path[0] == 1 and _leads_into(body[1], path[1:])
    if path[:2] == ["quality", "scores"]:
        # Those of an object stand as a list.
        return "scores" in body["quality"] or len(path) == 2
    for name in path[:-1]:
        body = body[name]
    return isinstance(body, dict)


async def test_2000_malformed_events_are_taken_or_refused_with_their_place(api: Api) -> None:
    chance = random.Random(2026)
    taken = 0
    for number in range(2_000):
        written = json.dumps(malformed(chance)).encode()
        body = read_json(written)
        try:
            read_events(body)
        except Invalid as error:
            paths = [path for path, _, _ in error.faults]
        else:
            paths = []
        assert all(_leads_into(body, path) for path in paths), (body, paths)
        # A door takes a hundred times as long as the reading of what comes in through it.
        if number % (20 if paths else 4) == 0:
            answer = await api.post(EVENTS, content=written, headers=JSON)
            assert answer.status_code == (400 if paths else 201), (body, answer.text)
            found = [fault["path"] for fault in answer.json().get("details", [])]
            assert found == paths
            taken += not paths
    assert taken > 25
