"""What people may change of a conversation, and how it is deleted: rows, events and all."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.db import connection

from conversations import services
from conversations.models import Conversation, Message, Project
from conversations.services import make_key
from tests.clients import Api, Socket, said, sse, started

SECRET = "the vault is behind the painting"


async def test_name_notes_and_metadata_can_be_changed(api: Api) -> None:
    conversation = await api.start(initial_prompt="Design a tower")
    answer = await api.patch(
        f"/api/conversations/{conversation}",
        json={"name": "Tower", "notes": "  ask Ada\n", "metadata": {"team": "crane"}},
    )
    assert answer.status_code == 200
    found = await api.conversation(conversation)
    assert answer.json() == found
    assert (found["name"], found["notes"]) == ("Tower", "  ask Ada\n")
    assert (found["metadata"]["team"], found["metadata"]["source"]) == ("crane", "cli")

    await api.patch(f"/api/conversations/{conversation}", json={"metadata": {"team": None}})
    assert "team" not in (await api.conversation(conversation))["metadata"]


async def test_followers_hear_of_a_change(api: Api) -> None:
    conversation = await api.start()
    for address in ("", f"&conversationId={conversation}"):
        async with sse(f"/api/realtime/stream?x=1{address}", key=api.key) as stream:
            assert (await stream.frame())["type"] == "connected"
            await api.patch(f"/api/conversations/{conversation}", json={"name": f"New{address}"})
            frame = await stream.frame()
        assert frame["type"] == "conversation.updated"
        assert frame["data"]["conversation"]["name"] == f"New{address}"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "COMPLETED"},
        {"name": ""},
        {"name": "x" * 201},
        {"name": None},
        {"notes": None},
        {"metadata": []},
        {"name": "a\x00b"},
        [],
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(api: Api, body: Any) -> None:
    conversation = await api.start()
    before = await api.conversation(conversation)
    answer = await api.patch(f"/api/conversations/{conversation}", json=body)
    if body == {"name": "a\x00b"}:
        # As everywhere, what cannot be stored is made fit.
        assert (answer.status_code, answer.json()["name"]) == (200, "a�b")
        return
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert await api.conversation(conversation) == before


async def test_changing_and_deleting_want_the_scope_for_it(project: Project, api: Api) -> None:
    conversation = await api.start()
    reader = (await database_sync_to_async(make_key)(project, "r", scopes=["read", "ingest"]))[1]
    async with Api(reader) as other:
        address = f"/api/conversations/{conversation}"
        assert (await other.patch(address, json={"name": "x"})).status_code == 403
        assert (await other.delete(address)).status_code == 403
        assert (await other.get(address)).status_code == 200


def _rows_with_the_secret() -> list[str]:
    """Every table that still holds the words anywhere."""
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{SECRET}%"]
            )
            if cursor.fetchone()[0]:
                found.append(table)
        return found


async def _conversation_with_the_secret(api: Api) -> str:
    conversation = await api.start(initial_prompt=SECRET, participants=[{"prompt": SECRET}])
    await api.say(conversation, SECRET, SECRET)
    await api.ingest("log.entry", {"conversation_id": conversation, "content": SECRET})
    await api.ingest(
        "conversation.error", {"conversation_id": conversation, "error_message": SECRET}
    )
    return conversation


async def test_a_deleted_conversation_is_gone_from_every_table(api: Api) -> None:
    kept = await api.start()
    await api.say(kept, "stays")
    conversation = await _conversation_with_the_secret(api)
    assert len(await database_sync_to_async(_rows_with_the_secret)()) >= 5

    answer = await api.delete(f"/api/conversations/{conversation}")

    assert answer.status_code == 200
    gone = answer.json()["deleted"]
    assert (gone["conversations"], gone["messages"], gone["events"]) == (1, 2, 2)
    assert gone["participants"] == 1
    assert await database_sync_to_async(_rows_with_the_secret)() == []
    for address in ("", "/messages", "/participants", "/events"):
        answer = await api.get(f"/api/conversations/{conversation}{address}")
        assert answer.status_code == 404
    again = await api.delete(f"/api/conversations/{conversation}")
    assert (again.status_code, again.json()["error"]) == (404, "Conversation not found")
    assert [one["content"] for one in await api.messages(kept)] == ["stays"]
    assert (await api.get("/api/metrics/summary?range=all")).json()["totals"]["messages"] == 1


async def test_followers_of_a_deleted_conversation_are_told_and_let_go(api: Api) -> None:
    conversation = await _conversation_with_the_secret(api)
    async with sse(f"/api/realtime/stream?conversationId={conversation}", key=api.key) as stream:
        assert (await stream.frame())["type"] == "connected"
        await api.delete(f"/api/conversations/{conversation}")
        assert (await stream.frame())["type"] == "conversation.deleted"
        with pytest.raises(EOFError):
            await stream.frame()


@pytest.mark.parametrize("is_followed", [True, False])
async def test_the_stream_of_the_project_has_no_hole_and_no_trace(
    api: Api, is_followed: bool
) -> None:
    kept = await api.start()
    conversation = await _conversation_with_the_secret(api)
    await api.say(kept, "stays")
    async with sse("/api/realtime/stream", key=api.key) as holds_the_ring:
        assert (await holds_the_ring.frame())["type"] == "connected"
        if is_followed:
            await _conversation_with_the_secret(api)
            await holds_the_ring.frames(5)
        await api.delete(f"/api/conversations/{conversation}")
        seen = await holds_the_ring.frame()
        assert seen["type"] == "conversation.deleted"
        async with sse("/api/realtime/stream?since=0", key=api.key) as late:
            frames = [await late.frame()]
            while frames[-1]["type"] != "conversation.deleted":
                frames.append(await late.frame())
    of_it = [
        frame for frame in frames if frame.get("data", {}).get("conversationId") == conversation
    ]
    assert [frame["type"] for frame in of_it] == ["conversation.deleted"]


async def test_the_whole_topic_of_the_project_stays_contiguous(api: Api, project: Project) -> None:
    kept = await api.start()
    conversation = await _conversation_with_the_secret(api)
    await api.delete(f"/api/conversations/{conversation}")
    await api.say(kept, "stays")
    async with Socket("/api/stream/projects/tower?since=0", key=api.key) as socket:
        assert (await socket.frame())["type"] == "connected"
        frames = [await socket.frame()]
        while frames[-1]["type"] != "message.created":
            frames.append(await socket.frame())
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    assert [frame["type"] for frame in frames] == [
        "conversation.started",
        *["stream.erased"] * 6,
        "conversation.deleted",
        "message.created",
    ]


async def test_late_events_are_answered_as_ever_and_dropped(api: Api) -> None:
    conversation = await _conversation_with_the_secret(api)
    await api.delete(f"/api/conversations/{conversation}")
    message = str(uuid4())
    answers = [
        await api.ingest("conversation.started", started(conversation)),
        await api.ingest("message.created", said(conversation, SECRET, message_id=message)),
        await api.ingest("message.created", said(conversation, SECRET)),
        await api.ingest("log.entry", {"conversation_id": conversation, "content": SECRET}),
        await api.ingest("conversation.error", {"conversation_id": conversation}),
        await api.ingest("conversation.completed", {"conversation_id": conversation}),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 200, 200, 200]
    assert answers[0].json() == {"conversation_id": conversation}
    assert answers[1].json() == {"message_id": message}
    assert (await api.get(f"/api/conversations/{conversation}")).status_code == 404
    assert await database_sync_to_async(_rows_with_the_secret)() == []


async def test_what_is_said_while_it_is_being_deleted_is_gone_or_dropped(api: Api) -> None:
    conversation = await api.start()
    await asyncio.gather(
        *[api.say(conversation, SECRET) for _ in range(10)],
        api.delete(f"/api/conversations/{conversation}"),
        *[api.say(conversation, SECRET) for _ in range(10)],
    )
    assert (await api.get(f"/api/conversations/{conversation}")).status_code == 404
    assert await database_sync_to_async(_rows_with_the_secret)() == []


async def test_a_deletion_that_fails_deletes_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await _conversation_with_the_secret(api)
    before = await api.events(conversation)

    def fail(topic: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(services, "erase", fail)
    assert (await api.delete(f"/api/conversations/{conversation}")).status_code == 500
    assert await api.events(conversation) == before
    assert await database_sync_to_async(Message.objects.count)() == 2
    assert await database_sync_to_async(Conversation.objects.count)() == 1


async def test_an_original_id_can_be_uploaded_again_after_deletion(api: Api) -> None:
    body = {
        "session": {
            "name": "A tower",
            "mode": "reactive",
            "initialPrompt": "Design",
            "status": "ACTIVE",
            "startedAt": "2026-11-21T10:00:00Z",
            "metadata": {"originalId": "run-7"},
        },
        "participants": [{"agentId": "a", "agentType": "claude", "agentName": "Ada"}],
        "messages": [],
    }
    first = (await api.post("/api/sessions/upload", json=body)).json()["conversationId"]
    await api.delete(f"/api/conversations/{first}")
    assert (await api.post("/api/sessions/upload", json=body)).status_code == 201
