"""Files of conversations: read in the background, each thing in them but once."""

import gzip
import json
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async

from conversations.models import Conversation, Message
from tests.clients import Api, opened
from tests.conversations.imported import (
    JOBS,
    NDJSON,
    a_log,
    a_session,
    a_state,
    at,
    counts,
    imported,
    lines,
    sent,
    shown,
    worked,
)

pytestmark = pytest.mark.usefixtures("own_folder")


async def test_a_job_is_there_at_once_and_done_later(api: Api) -> None:
    job = await sent(api, lines(a_log("first", 3)))

    assert {**job, "id": "", "created_at": ""} == {
        "id": "",
        "project_id": "tower",
        "file_name": "",
        "size": len(lines(a_log("first", 3))),
        "kind": "",
        "status": "queued",
        "total": None,
        "processed": 0,
        "new": 0,
        "known": 0,
        "repaired": 0,
        "failed": 0,
        "percentage": 0,
        "errors": [],
        "created_at": "",
        "started_at": None,
        "finished_at": None,
    }
    await worked()
    done = await shown(api, job)
    assert (done["status"], done["kind"], done["percentage"]) == ("completed", "events", 100)
    assert (done["total"], done["processed"], counts(done)) == (6, 6, (6, 0, 0, 0))
    assert (await api.conversation("first"))["status"] == "COMPLETED"
    assert [message["content"] for message in await api.messages("first")] == [
        f"message {number}" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    "written",
    [
        lines([a_session(originalId="a"), a_session(originalId="b")]),
        json.dumps([a_session(originalId="a"), a_session(originalId="b")]).encode(),
        json.dumps([a_session(originalId="a"), a_session(originalId="b")], indent=2).encode(),
        b"\n".join(json.dumps(a_session(originalId=o), indent=2).encode() for o in "ab"),
        b"\xef\xbb\xbf" + lines([[a_session(originalId="a"), a_session(originalId="b")]]),
        lines([a_session(name="without an id"), a_session(name="another")]),
    ],
    ids=["lines", "array", "pretty array", "pretty", "array in a line", "no ids"],
)
async def test_sessions_are_read_however_they_are_written(api: Api, written: bytes) -> None:
    first = await imported(api, written)
    again = await imported(api, written)

    assert (first["kind"], counts(first)) == ("sessions", (2, 0, 0, 0)), first
    assert counts(again) == (0, 2, 0, 0)
    listed = (await api.get("/api/conversations")).json()["items"]
    assert [found["totalMessages"] for found in listed] == [2, 2]


async def test_a_session_that_was_uploaded_is_known(api: Api) -> None:
    session = a_session(originalId="a")
    assert (await api.post("/api/sessions/upload", json=session)).status_code == 201

    assert counts(await imported(api, json.dumps(session).encode())) == (0, 1, 0, 0)


async def test_a_packed_file_is_unpacked_whatever_it_is_called(api: Api) -> None:
    packed = gzip.compress(lines(a_log("first", 2)))

    assert counts(await imported(api, packed)) == (5, 0, 0, 0)
    encoded = {"content-encoding": "gzip", "content-type": "application/json"}
    assert counts(await imported(api, packed, **encoded)) == (0, 5, 0, 0)
    torn = await imported(api, packed[:-30], **{"content-type": "application/gzip"})
    assert torn["status"] == "completed"
    spoilt = packed[:20] + bytes(40) + packed[60:]
    answer = await api.post(JOBS, content=spoilt, headers=NDJSON)
    assert answer.status_code == 400, answer.text


async def test_a_form_has_the_file_in_its_field(api: Api, key: str) -> None:
    part = {"file": ("events_1.jsonl.gz", gzip.compress(lines(a_log("first", 2))))}

    answer = await api.post(JOBS, files=part)

    assert answer.status_code == 202, answer.text
    await worked()
    assert counts(await shown(api, answer.json()["job"])) == (5, 0, 0, 0)
    other = await api.post(JOBS, files={"another": b"{}"})
    assert (other.status_code, other.json()["field"]) == (400, "file")


async def test_a_saved_state_becomes_a_conversation_and_keeps_no_secret(api: Api) -> None:
    job = await imported(api, json.dumps(a_state(3), indent=2).encode())

    assert (job["kind"], counts(job)) == ("states", (1, 0, 0, 0)), job
    (found,) = (await api.get("/api/conversations")).json()["items"]
    assert (found["mode"], found["status"], found["maxTurns"]) == ("reactive", "COMPLETED", 9)
    assert found["participants"][0]["agentType"] == "claude"
    assert (found["totalTokens"], found["totalCost"], found["totalDuration"]) == (30, 0.75, 60_000)
    assert found["summary"]["shortText"] == "They built it."
    assert found["startedAt"].startswith("2026-11-21T10:00:00.123456")
    messages = await api.messages(found["id"])
    assert [message["content"] for message in messages] == ["message 0", "message 0", "message 1"]
    assert (messages[0]["duration"], messages[0]["agentType"]) == (1500, "claude")
    everything = (await api.get(f"/api/conversations/{found['id']}/events")).text
    assert "sk-secret" not in everything + json.dumps(found)


async def test_a_later_state_of_the_same_conversation_adds_what_is_missing(api: Api) -> None:
    await imported(api, json.dumps(a_state(3)).encode())

    again = await imported(api, json.dumps(a_state(3)).encode())
    later = await imported(api, json.dumps(a_state(5, saved_at=at(59))).encode())

    assert (counts(again), counts(later)) == ((0, 1, 0, 0), (0, 0, 1, 0))
    (found,) = (await api.get("/api/conversations")).json()["items"]
    assert (found["totalMessages"], found["totalTokens"]) == (5, 50)


async def test_both_dialects_and_terminal_output_may_be_mixed(api: Api) -> None:
    printed = [
        *a_log("first", 2)[:2],
        {"type": "conversation.started", "timestamp": at(1), "data": opened()},
        {"type": "log.entry", "timestamp": at(2), "data": {"content": "hello"}},
        {"type": "log.entry", "data": {"content": "hello, some time"}},
    ]
    written = b"[12:00] Welcome\n" + lines(printed) + b"Good bye"

    first, again = await imported(api, written), await imported(api, written)

    assert counts(first) == (5, 0, 0, 2)
    assert [error["line"] for error in first["errors"]] == [1, 7]
    assert counts(again) == (0, 5, 0, 2)


async def test_ids_of_the_client_are_kept(api: Api) -> None:
    conversation = str(uuid4())
    log = a_log(conversation, 2)

    await imported(api, lines(log))

    assert await database_sync_to_async(_rows)() == (1, 2)
    ids = [message["id"] for message in await api.messages(conversation)]
    assert ids == [event["data"]["message_id"] for event in log[2:4]]


def _rows() -> tuple[int, int]:
    return Conversation.objects.count(), Message.objects.count()


async def test_what_a_session_lost_comes_back_from_its_log_and_nothing_twice(api: Api) -> None:
    log = a_log("first")
    for number, event in enumerate(log):
        if number % 3:
            await api.post("/api/ingest", json=event)

    first = await imported(api, lines(log))
    again = await imported(api, lines(log))

    lost = len(log[::3])
    # The greeting is of no conversation that could have been there.
    assert counts(first) == (1, len(log) - lost, lost - 1, 0)
    assert counts(again) == (0, len(log), 0, 0)
    found = await api.conversation("first")
    assert (found["totalMessages"], found["totalTokens"]) == (20, 200)
    assert found["totalCost"] == pytest.approx(0.02)
    contents = [message["content"] for message in await api.messages("first")]
    assert contents == [f"message {number}" for number in range(1, 21)]
