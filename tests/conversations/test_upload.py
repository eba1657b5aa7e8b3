"""A whole session in one request: all of it or nothing, and each but once."""

import asyncio
import gc
import json
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import DataError

from conversations.models import Conversation, Message, Participant, Project
from conversations.recording.messages import write_messages
from conversations.services import make_key
from tests.clients import Api, Json, sse

START = "2026-11-21T10:00:00Z"


def session(*contents: str, **changes: Any) -> Json:
    return {
        "session": {
            "name": "A tower",
            "mode": "round-robin",
            "initialPrompt": "Design a tower",
            "status": "COMPLETED",
            "startedAt": START,
            "completedAt": "2026-11-21T11:00:00Z",
            **changes,
        },
        "participants": [
            {"agentId": "a-1", "agentType": "claude", "agentName": "Ada"},
            {"agentId": "a-2", "agentType": "gemini", "agentName": "Gus", "model": "pro"},
        ],
        "messages": [message(content, index) for index, content in enumerate(contents)],
    }


def message(content: str, index: int) -> Json:
    return {
        "agentId": "a-1" if index % 2 == 0 else "a-2",
        "agentName": "Ada",
        "agentType": "claude",
        "content": content,
        "role": "agent",
        "timestamp": f"2026-11-21T10:00:{index % 60:02}Z",
        "metrics": {"totalTokens": 3, "cost": 0.000001, "duration": 40, "model": "opus"},
    }


async def upload(api: Api, body: Json, **options: Any) -> Any:
    return await api.post("/api/sessions/upload", json=body, **options)


@pytest.mark.parametrize("count", [2, 60])
async def test_an_uploaded_session_is_a_conversation_like_any_other(api: Api, count: int) -> None:
    contents = [f"Message {index}\n\t\\N" for index in range(count)]
    answer = await upload(api, session(*contents, metadata={"team": "crane"}))
    assert answer.status_code == 201
    body = answer.json()
    assert body == {
        "success": True,
        "conversationId": body["conversationId"],
        "messagesCreated": count,
        "participantsCreated": 2,
        "totalTokens": 3 * count,
        "totalCost": pytest.approx(0.000001 * count),
    }

    found = await api.conversation(body["conversationId"])
    assert (found["status"], found["source"], found["completedAt"]) == (
        "COMPLETED",
        "cli",
        "2026-11-21T11:00:00Z",
    )
    assert (found["totalMessages"], found["totalDuration"]) == (count, 40 * count)
    assert found["metadata"]["team"] == "crane"
    assert found["metadata"]["isHistoricalUpload"] is True
    assert found["metadata"]["source"] == "cli"
    assert found["metadata"]["uploadedAt"]
    said = await api.messages(body["conversationId"])
    assert [one["content"] for one in said] == contents
    assert [one["sequenceNumber"] for one in said] == list(range(1, count + 1))
    assert {one["model"] for one in said} == {"opus"}


async def test_the_duration_that_the_session_tells_is_the_one_that_is_shown(api: Api) -> None:
    body = (await upload(api, session("One", totalDuration=9_000))).json()
    assert (await api.conversation(body["conversationId"]))["totalDuration"] == 9_000


async def test_an_original_id_is_taken_once_in_a_project(api: Api, transactional_db: None) -> None:
    given = session("One", metadata={"originalId": "run-7"})
    first = (await upload(api, given)).json()["conversationId"]
    again = await upload(api, session("Another", metadata={"originalId": "run-7"}))
    assert again.status_code == 409
    assert again.json() == {
        "error": "Duplicate upload",
        "message": "Session with this originalId already exists",
        "existingConversationId": first,
    }
    elsewhere = await database_sync_to_async(_key_elsewhere)()
    async with Api(elsewhere) as other:
        assert (await upload(other, given)).status_code == 201


def _key_elsewhere() -> str:
    return make_key(Project.objects.create(slug="elsewhere"), "tests")[1]


@pytest.mark.parametrize("original", ["", None, 0, False])
async def test_an_empty_original_id_is_none(api: Api, original: Any) -> None:
    for _ in range(2):
        answer = await upload(api, session("One", metadata={"originalId": original}))
        assert answer.status_code == 201


async def test_of_uploads_that_race_one_wins(api: Api) -> None:
    given = session("One", "Two", metadata={"originalId": {"run": 7}})
    answers = await asyncio.gather(*[upload(api, given) for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]
    won = next(answer.json() for answer in answers if answer.status_code == 201)
    lost = {a.json()["existingConversationId"] for a in answers if a.status_code == 409}
    assert lost == {won["conversationId"]}
    assert (await api.get("/api/conversations")).json()["total"] == 1


async def test_a_session_that_cannot_be_stored_leaves_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_halfway(messages: Any, **options: Any) -> None:
        write_messages(messages[:30], **options)
        raise DataError("the disk is full")

    monkeypatch.setattr("conversations.recording.rows.write_messages", fail_halfway)
    answer = await upload(api, session(*["x"] * 60))
    assert answer.status_code == 500
    monkeypatch.undo()
    assert await database_sync_to_async(_rows)() == (0, 0, 0)
    assert (await upload(api, session(*["x"] * 60))).status_code == 201
    assert await database_sync_to_async(_rows)() == (1, 2, 60)


def _rows() -> tuple[int, int, int]:
    return Conversation.objects.count(), Participant.objects.count(), Message.objects.count()


async def test_a_repeated_idempotency_key_is_answered_as_the_first_time(api: Api) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = await upload(api, session("One"), headers=headers)
    again = await upload(api, session("One"), headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await upload(api, session("Two"), headers=headers)
    assert other.status_code == 422
    assert (await api.get("/api/conversations")).json()["total"] == 1


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        ("ACTIVE", ["conversation.started"]),
        ("COMPLETED", ["conversation.started", "conversation.completed"]),
        ("INTERRUPTED", ["conversation.started", "conversation.interrupted"]),
        ("ERROR", ["conversation.started", "conversation.completed"]),
    ],
)
async def test_followers_hear_of_its_start_and_its_end(
    api: Api, status: str, kinds: list[str]
) -> None:
    async with sse("/api/realtime/stream?since=0", key=api.key) as stream:
        given = session("One", "Two", status=status, completedAt=None)
        conversation = (await upload(api, given)).json()["conversationId"]
        assert (await stream.frame())["type"] == "connected"
        frames = await stream.frames(len(kinds))
        await api.ingest("bridge.test", {})
        frames.append(await stream.frame())
    assert [frame["type"] for frame in frames] == [*kinds, "bridge.test"]
    told = frames[0]["data"]["conversation"]
    assert (told["id"], told["totalMessages"], told["status"]) == (conversation, 2, status)


async def test_both_faults_between_fields_are_told_at_once(api: Api) -> None:
    given = session("One", completedAt=START)
    given["messages"][0]["agentId"] = "a-9"
    answer = (await upload(api, given)).json()
    assert [(detail["path"], detail["message"]) for detail in answer["details"]] == [
        (["messages"], "All message agentIds must exist in participants array"),
        (["session", "completedAt"], "completedAt must be after startedAt"),
    ]


async def test_text_that_cannot_be_stored_is_made_fit(api: Api) -> None:
    body = json.dumps(session("MARK" * 30)).replace("MARK" * 30, "a\\u0000b\\ud800c")
    answer = await api.post(
        "/api/sessions/upload", content=body, headers={"Content-Type": "application/json"}
    )
    said = await api.messages(answer.json()["conversationId"])
    assert said[0]["content"] == "a�b�c"


async def test_python_looks_for_garbage_again_after_an_upload(api: Api) -> None:
    for body, status in ((json.dumps(session("One stone")), 201), ("{}", 400), ("{", 400)):
        headers = {"content-type": "application/json"}
        answer = await api.post("/api/sessions/upload", content=body, headers=headers)
        assert answer.status_code == status
        assert gc.isenabled()


async def test_uploads_have_a_rate_of_their_own(project: Project, transactional_db: None) -> None:
    key = await database_sync_to_async(make_key)(project, "tests", rates={"upload": "2/60"})
    async with Api(key[1]) as api:
        answers = [await upload(api, session("One")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].json()["error"] == "Rate limit exceeded"
    assert answers[0].headers["X-RateLimit-Remaining"] == "1"


async def test_a_body_beyond_the_bound_is_refused(api: Api) -> None:
    body = b" " * (64 * 1024 * 1024) + b"{}"
    answer = await api.post(
        "/api/sessions/upload", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
