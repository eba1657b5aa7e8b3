"""How far agents are: each by itself, all together, and those that follow them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connection

from agents import history, progress
from agents.models import ProgressPoint
from agents.progress import Report
from conversations.models import Project
from conversations.services import make_key
from streaming import replay
from streaming.publish import transactional
from tests.agents.chatting import Chatting
from tests.clients import Api, Json, Socket, eventually, sse

PROJECT = "/api/projects/tower"
NOBODY = {"overall": 0, "agents": [], "estimatedCompletion": None}


async def put(api: Api, agent: str, **given: Any) -> Json:
    answer = await api.put(f"{PROJECT}/agents/{agent}/progress", json=given)
    assert answer.status_code == 200, answer.text
    shape: Json = answer.json()
    return shape


async def of_project(api: Api) -> Json:
    found: Json = (await api.get(f"{PROJECT}/progress")).json()
    return found


async def test_nobody_at_work_is_nothing_done(api: Api) -> None:
    assert await of_project(api) == NOBODY
    answer = await api.get(f"{PROJECT}/agents/ada/progress")
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "No progress is known of this agent"},
    )


async def test_an_agent_outside_says_any_of_it_and_hears_the_whole(api: Api) -> None:
    first = await put(api, "ada", percentage=40, estimatedTimeRemaining=90, tokensUsed=7, cost=0.25)
    assert first.pop("lastUpdated").endswith("Z")
    assert first == {
        "agentId": "ada",
        "status": "running",
        "percentage": 40,
        "currentStep": 0,
        "totalSteps": 0,
        "estimatedTimeRemaining": 90,
        "tokensUsed": 7,
        "cost": 0.25,
    }

    second = await put(api, "ada", currentStep=2, totalSteps=4)

    assert second == {
        **first,
        "currentStep": 2,
        "totalSteps": 4,
        "lastUpdated": second["lastUpdated"],
    }
    assert (await api.get(f"{PROJECT}/agents/ada/progress")).json() == second
    await put(api, "bob", status="completed")
    found = await of_project(api)
    assert (found["overall"], [agent["agentId"] for agent in found["agents"]]) == (
        70,
        ["ada", "bob"],
    )
    assert datetime.fromisoformat(found["estimatedCompletion"])


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"percentage": 100.5}, ["percentage"]),
        ({"percentage": -1}, ["percentage"]),
        ({"percentage": "40"}, ["percentage"]),
        ({"currentStep": 1.5}, ["currentStep"]),
        ({"confidence": 2}, ["confidence"]),
        ({"status": ""}, ["status"]),
        ({"estimatedTimeRemaining": -3}, ["estimatedTimeRemaining"]),
        ({"agentId": "bob"}, ["agentId"]),
        ([], []),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(
    api: Api, given: Any, path: list[str]
) -> None:
    answer = await api.put(f"{PROJECT}/agents/ada/progress", json=given)

    assert answer.status_code == 400
    assert answer.json()["details"][0]["path"] == path
    assert await of_project(api) == NOBODY


async def test_the_whole_goes_back_only_with_a_reason(api: Api, key: str) -> None:
    async with Socket(f"/api/stream{PROJECT.removeprefix('/api')}/agents", key=key) as socket:
        await socket.frame()
        await put(api, "ada", percentage=60)
        await put(api, "bob", percentage=10)
        await put(api, "bob", percentage=50, totalSteps=2)
        await put(api, "bob", percentage=25, totalSteps=4)
        await put(api, "ada", percentage=30)
        await put(api, "ada", status="failed")
        await put(api, "ada", status="running")
        frames = await socket.frames(7)

    told = [(frame["progress"]["overall"], frame["progress"]["reason"]) for frame in frames]
    assert told == [
        (60, None),
        (35, "agent_joined"),
        (55, None),
        (42.5, "plan_grew"),
        (27.5, "agent_went_back"),
        (27.5, None),
        (12.5, "agent_restarted"),
    ]
    assert {frame["type"] for frame in frames} == {"agent.progress"}


async def test_an_end_is_told_once(api: Api, key: str) -> None:
    async with Socket("/api/stream/projects/tower/agents?agentIds=bob,eve", key=key) as socket:
        await socket.frame()
        for agent in ("ada", "bob"):
            await put(api, agent, percentage=50, content="half", confidence=0.5)
            await put(api, agent, status="completed", percentage=100)
            await put(api, agent, status="completed", tokensUsed=5)
        frames = await socket.frames(4)

    assert [frame["type"] for frame in frames] == [
        *["agent.progress", "agent.progress", "agent.complete", "agent.progress"]
    ]
    half, _, complete, _ = (frame["progress"] for frame in frames)
    assert (half["content"], half["confidence"], half["progress"]) == ("half", 0.5, 50)
    assert (complete["agentId"], complete["percentage"]) == ("bob", 100)
    assert complete["estimatedTimeRemaining"] == 0


@pytest.mark.parametrize("address", [f"{PROJECT}/agents/stream", "/api/sse/agent-stream"])
async def test_event_sources_hear_of_agents_by_name(api: Api, key: str, address: str) -> None:
    token = await api.post("/api/stream-tokens", json={"stream": "project:tower"})
    query = {"projectId": "tower", "token": token.json()["token"]}
    async with sse(address, **query) as stream:
        opening = await stream.fields()
        assert opening["event"] == "connected"
        await api.start()
        await put(api, "ada", percentage=50)
        await put(api, "ada", status="completed")
        named = [await stream.fields() for _ in range(3)]
    assert [fields["event"] for fields in named] == [
        *["agent:progress", "agent:progress", "agent:complete"]
    ]
    async with sse(address, key=key, projectId="tower", since=named[1]["id"]) as stream:
        await stream.fields()
        assert await stream.fields() == named[2]


@pytest.mark.usefixtures("worker")
async def test_a_run_reports_by_itself(api: Api, key: str, chatting: Chatting) -> None:
    plan = [{"text": "Measure", "status": "completed"}, {"text": "Tell"}]
    script: list[Json] = [{"plan": plan}, {"say": "42 m"}, {"wait_ms": 60_000}]
    async with sse("/api/sse/agent-stream", key=key, projectId="tower") as stream:
        asked = await chatting.ask(await chatting.open(), *script)
        names = [(await stream.fields())["event"] for _ in range(5)]

        async def is_half_done() -> bool:
            agents = (await of_project(api))["agents"]
            return [(one["percentage"], one["totalSteps"]) for one in agents] == [(50, 2)]

        await eventually(is_half_done)
        await chatting.cancel(asked)
        await chatting.ended(asked)
    assert names[:4] == ["connected", "agent.run.created", "agent.run.updated", "agent:progress"]
    (row,) = (await of_project(api))["agents"]
    assert (row["agentId"], row["status"], row["percentage"]) == ("scripted", "cancelled", 50)

    await chatting.ended(await chatting.ask(asked["chat"], {"say": "42 m"}))

    found = await of_project(api)
    assert (found["overall"], found["estimatedCompletion"]) == (100, None)
    assert found["agents"][0]["status"] == "completed"


@pytest.mark.usefixtures("worker")
async def test_a_run_that_goes_with_its_chat_ends_for_its_agent(
    api: Api, chatting: Chatting
) -> None:
    chat = await chatting.open()
    asked = await chatting.ask(chat, {"say": "Well"}, {"wait_ms": 60_000})
    await chatting.reached(asked, "processing")

    await api.delete(f"/api/chats/{chat}")

    (row,) = (await of_project(api))["agents"]
    assert row["status"] == "cancelled"


def test_of_many_at_once_each_sees_those_before(project: Project) -> None:
    ready = threading.Barrier(6)

    def work(agent: str) -> None:
        try:
            ready.wait()
            for percentage in range(0, 101, 10):
                report = Report(project_id=project.pk, agent_id=agent, percentage=percentage)
                progress.put(project, report)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, "abcdef"))

    frames = replay.since(project.topic, None, limit=500).frames
    told = [(frame["progress"]["overall"], frame["progress"]["reason"]) for frame in frames]
    assert len(told) == 66
    assert told[-1] == (100, None)
    fallen = [later for (earlier, _), later in pairwise(told) if later[0] < earlier]
    assert {reason for _, reason in fallen} <= {"agent_joined"}


# For charts


async def points(api: Api, **query: str) -> list[Json]:
    answer = await api.get(f"{PROJECT}/progress/history", params=query)
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


@transactional
def reported(*reports: Report) -> None:
    progress.take(reports)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-20T{text}+00:00")


async def test_charts_get_a_point_a_second_and_the_end(api: Api, project: Project) -> None:
    told = [(10, "10:00:00.0"), (11, "10:00:00.5"), (12, "10:00:01.2"), (12, "10:00:05.0")]
    for percentage, clock in told:
        report = Report(project_id=project.pk, agent_id="ada", percentage=percentage, at=at(clock))
        await database_sync_to_async(reported)(report)
    end = Report(project_id=project.pk, agent_id="ada", status="completed", at=at("10:00:01.3"))
    await database_sync_to_async(reported)(end)

    found = await points(api)

    assert [point["percentage"] for point in found] == [10, 12, 100]
    assert found[0] == {"agentId": "ada", "percentage": 10, "timestamp": "2026-11-20T10:00:00Z"}
    assert await points(api, since=found[0]["timestamp"]) == found[1:]
    assert await points(api, since="2026-11-20T10:00:00+00:00") == found[1:]
    assert await points(api, since="0") == found
    assert await points(api, agentIds="bob") == []
    for nonsense in ("yesterday", "9" * 30):
        answer = await api.get(f"{PROJECT}/progress/history", params={"since": nonsense})
        assert (answer.status_code, answer.json()["field"]) == (400, "since")


async def test_who_goes_on_reading_charts_misses_nothing(
    api: Api, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_POINTS", 3)
    # Two agents in one moment, where the page would end between them.
    moments = [("ada", "10:00"), ("ada", "10:01"), ("ada", "10:02"), ("bob", "10:02")]
    await ProgressPoint.objects.abulk_create(
        ProgressPoint(project=project, agent_id=agent, percentage=number, at=at(clock))
        for number, (agent, clock) in enumerate(moments)
    )

    first = await points(api)
    rest = await points(api, since=first[-1]["timestamp"])

    assert [point["percentage"] for point in first + rest] == [0, 1, 2, 3]


async def test_old_points_become_fewer_and_the_last_of_each_time_stays(project: Project) -> None:
    await ProgressPoint.objects.abulk_create(
        ProgressPoint(
            project=project,
            agent_id=agent,
            percentage=minute,
            at=at(f"{10 + minute // 60}:{minute % 60:02}:00"),
        )
        for agent in ("ada", "bob")
        for minute in range(100)
    )

    await database_sync_to_async(history.thin)()

    kept = ProgressPoint.objects.filter(agent_id="ada").order_by("at")
    assert [point.percentage async for point in kept] == [*range(4, 100, 5)]
    assert await ProgressPoint.objects.filter(agent_id="bob").acount() == 20


# Who may


async def test_progress_is_said_with_ingest_and_read_with_read(api: Api, project: Project) -> None:
    secret = (await database_sync_to_async(make_key)(project, "one", scopes=["ingest"]))[1]
    async with Api(secret) as telling:
        await put(telling, "ada", percentage=1)
        assert (await telling.get(f"{PROJECT}/progress")).status_code == 403
    secret = (await database_sync_to_async(make_key)(project, "two", scopes=["read"]))[1]
    async with Api(secret) as reading:
        address = f"{PROJECT}/agents/ada/progress"
        assert (await reading.get(address)).status_code == 200
        assert (await reading.put(address, json={"percentage": 2})).status_code == 403


async def test_the_socket_of_quality_tells_nothing_else(api: Api, key: str) -> None:
    async with Socket("/api/stream/projects/tower/quality", key=key) as socket:
        assert (await socket.frame())["type"] == "connected"
        await put(api, "ada", percentage=1)
        assert await socket.receive_nothing()
