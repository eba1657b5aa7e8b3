"""Files of conversations: read in the background, each thing in them but once."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import JobAborted
from pytest_django.fixtures import Settings

from conversations.models import Conversation, IngestJob, Message, Project, Receipt
from conversations.services import make_key
from conversations.upload import files, imports, items, tasks
from tests.agentpipe.knocking import knock, signed_in
from tests.clients import Api, Json, Socket, opened, said, started, told

JOBS = "/api/projects/tower/ingest/jobs"
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture(autouse=True)
def _folder(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def at(second: int) -> str:
    return f"2026-11-21T10:{second // 60:02}:{second % 60:02}Z"


def a_log(conversation: str, messages: int = 20) -> list[Json]:
    """What the command-line tool writes of one conversation."""
    said_all = [
        said(conversation, f"message {number}", tokens_used=10, cost=0.001, sequence_number=number)
        for number in range(1, messages + 1)
    ]
    end = {"conversation_id": conversation, "status": "completed", "total_messages": messages}
    told_of: list[tuple[str, Json]] = [
        ("bridge.connected", {"system_info": {"os": "linux"}}),
        ("conversation.started", started(conversation)),
        *(("message.created", message) for message in said_all),
        ("conversation.completed", end),
    ]
    return [
        {"type": kind, "timestamp": at(second), "data": data}
        for second, (kind, data) in enumerate(told_of)
    ]


def a_session(**metadata: Any) -> Json:
    message = told("-", "Stone upon stone")["message"]
    return {
        "session": {
            "name": "The tower",
            "mode": "round-robin",
            "initialPrompt": "Design a tower",
            "status": "COMPLETED",
            "startedAt": at(0),
            "completedAt": at(60),
            "metadata": metadata,
        },
        "participants": opened()["participants"],
        "messages": [message, {**message, "timestamp": at(30)}],
    }


def a_state(messages: int, saved_at: str = at(50)) -> Json:
    """As the tool saves it: keys by its tags outside, by its own names inside."""
    return {
        "version": "1.0",
        "saved_at": saved_at,
        "messages": [
            {
                "AgentID": "a-1",
                "AgentName": "Ada",
                "AgentType": "",
                "Content": f"message {number // 2}",
                "Timestamp": 1_795_255_200,
                "Role": "agent",
                "Metrics": {
                    "Duration": 1_500_000_000,
                    "InputTokens": 7,
                    "OutputTokens": 3,
                    "TotalTokens": 10,
                    "Model": "opus",
                    "Cost": 0.25,
                },
            }
            for number in range(messages)
        ],
        "config": {
            "Agents": [{"ID": "a-1", "Type": "claude", "Name": "Ada", "Prompt": "Be brief"}],
            "Orchestrator": {"Mode": "reactive", "MaxTurns": 9, "InitialPrompt": "Design a tower"},
            "Bridge": {"APIKey": "sk-secret"},
        },
        "metadata": {
            "total_turns": messages,
            "total_messages": messages,
            "total_duration_ms": 60_000,
            "started_at": "2026-11-21T10:00:00.123456789Z",
            "short_text": "They built it.",
        },
    }


def lines(values: Iterable[object]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def work(should_stop: Callable[[], bool] = lambda: False) -> None:
    """What the worker does, here and now."""
    for job in IngestJob.objects.filter(status__in=imports.UNFINISHED):
        context: Any = SimpleNamespace(should_abort=should_stop)
        tasks.import_file.func(context, job.pk)


async def worked(should_stop: Callable[[], bool] = lambda: False) -> None:
    await database_sync_to_async(work)(should_stop)


async def sent(api: Api, content: bytes, **headers: str) -> Json:
    answer = await api.post(JOBS, content=content, headers={**NDJSON, **headers})
    assert answer.status_code == 202, answer.text
    job: Json = answer.json()["job"]
    return job


async def imported(api: Api, content: bytes, **headers: str) -> Json:
    job = await sent(api, content, **headers)
    await worked()
    return await shown(api, job)


async def shown(api: Api, job: Json) -> Json:
    found: Json = (await api.get(f"{JOBS}/{job['id']}")).json()["job"]
    return found


def counts(job: Json) -> tuple[int, int, int, int]:
    return job["new"], job["known"], job["repaired"], job["failed"]


# What the files may be


async def test_a_job_is_there_at_once_and_done_later(api: Api) -> None:
    job = await sent(api, lines(a_log("first", 3)))

    assert {**job, "id": "", "created_at": ""} == {
        "id": "",
        "project_id": "tower",
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


# What is wrong in them


async def test_bad_lines_are_named_and_stop_nothing(api: Api) -> None:
    good = a_log("first", 2)
    bad = {"type": "message.created", "timestamp": at(3), "data": {"conversation_id": 7}}
    of_nowhere = {
        "type": "message.created",
        "timestamp": at(3),
        "data": told("c" + "1" * 24, "hello"),
    }
    written = lines(good[:2]) + b"\nnot json\n" + lines([bad, of_nowhere, 5, {}]) + lines(good[2:])

    job = await imported(api, written + b'{"type": "message.crea')

    assert (job["status"], counts(job), job["processed"]) == ("completed", (5, 0, 0, 6), 11)
    errors = {error["line"]: error["error"] for error in job["errors"]}
    assert list(errors) == [4, 5, 6, 7, 8, 12]
    assert errors[4].startswith("Invalid JSON")
    assert errors[5].startswith("Validation failed: data.")
    assert (errors[6], errors[7]) == ("Conversation not found", "Expected an object")


async def test_only_the_first_thousand_errors_are_kept_and_all_are_counted(api: Api) -> None:
    job = await imported(api, b"nonsense\n" * 1200)

    assert (job["failed"], len(job["errors"]), job["errors"][-1]["line"]) == (1200, 1000, 1000)


async def test_what_is_too_long_is_one_error(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "LARGEST", 10_000)
    monkeypatch.setattr(items, "PIECE", 1000)
    long = {**a_log("first")[0], "more": 'x"]' * 10_000}
    good = a_log("first", 2)

    by_line = await imported(api, lines([good[0], long, *good[1:]]))
    in_array = await imported(api, json.dumps([good[0], long, *good[1:]]).encode())

    assert counts(by_line) == (5, 0, 0, 1)
    assert by_line["errors"] == [{"line": 2, "error": items.TOO_LARGE}]
    assert counts(in_array) == (0, 5, 0, 1)


async def test_a_torn_array_is_one_error(api: Api) -> None:
    written = json.dumps(a_log("first", 2)).encode()

    job = await imported(api, written[:-20])

    assert (job["status"], counts(job)) == ("completed", (4, 0, 0, 1))


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", NDJSON, 400),
        (b"{}", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {**NDJSON, "content-encoding": "br"}, 415),
        (b"x" * (2 * 1024 * 1024), NDJSON, 413),
        (gzip.compress(b"x" * (2 * 1024 * 1024)), NDJSON, 413),
    ],
    ids=["nothing", "a form", "another encoding", "too much", "too much unpacked"],
)
async def test_what_is_refused_leaves_nothing(
    api: Api, settings: Settings, content: bytes, headers: dict[str, str], status: int
) -> None:
    settings.IMPORT_LIMIT = 1024 * 1024

    answer = await api.post(JOBS, content=content, headers=headers)

    assert answer.status_code == status, answer.text
    assert (await api.get(JOBS)).json()["items"] == []
    assert left_in_the_folder() == []


async def test_a_body_without_a_length_has_the_same_bounds(key: str, settings: Settings) -> None:
    settings.IMPORT_LIMIT = 1024 * 1024

    heard = await knock(
        JOBS, method="POST", key=key, headers=NDJSON, body=[b"x" * 600_000, b"x" * 600_000]
    )

    assert heard.status == 413


async def test_of_strangers_no_large_body_is_taken(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[int] = []
    monkeypatch.setattr(
        "django.core.handlers.asgi.tempfile.SpooledTemporaryFile",
        lambda **_: SimpleNamespace(
            write=lambda piece: stored.append(len(piece)),
            seek=lambda _: None,
            close=lambda: None,
            read=lambda *_: b"",
        ),
    )

    heard = await knock(
        JOBS, method="POST", key="ap_made-up", headers=NDJSON, body=b"x" * 3_000_000
    )

    assert heard.status == 401
    assert sum(stored) <= 1024 * 1024 + 1


# What was there before


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


# Workers come and go


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MOST_ITEMS", 3)


async def test_an_import_goes_on_where_it_was_stopped(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    job = await sent(api, lines([*a_log("first"), "bad"]))
    stops = iter([False, False, True])
    with pytest.raises(JobAborted):
        await worked(lambda: next(stops))
    halfway = await shown(api, job)

    await worked()

    assert (halfway["status"], halfway["processed"]) == ("running", 6)
    assert 0 < halfway["percentage"] < 100
    done = await shown(api, job)
    assert (done["processed"], counts(done)) == (24, (23, 0, 0, 1))
    assert done["errors"][0]["line"] == 24
    assert (await api.conversation("first"))["totalMessages"] == 20


@pytest.mark.parametrize("indent", [None, 2])
async def test_an_array_goes_on_where_it_was_stopped(
    api: Api, monkeypatch: pytest.MonkeyPatch, indent: int | None
) -> None:
    small_batches(monkeypatch)
    job = await sent(api, json.dumps([*a_log("first"), "bad"], indent=indent).encode())
    stops = iter([False, False, True])
    with pytest.raises(JobAborted):
        await worked(lambda: next(stops))

    await worked()

    assert counts(await shown(api, job)) == (23, 0, 0, 1)


async def test_of_two_workers_on_one_import_one_gives_way(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second works off a batch while the first stands before the same."""
    small_batches(monkeypatch)
    job = await sent(api, lines(a_log("first")))
    asked = 0

    def overtaken() -> bool:
        nonlocal asked
        asked += 1
        if asked == 3:
            stops = iter([False, True])
            with pytest.raises(JobAborted):
                work(lambda: next(stops))
        return False

    await worked(overtaken)

    assert (await shown(api, job))["processed"] == 9
    await worked()
    done = await shown(api, job)
    assert (done["processed"], counts(done)) == (23, (23, 0, 0, 0))
    assert (await api.conversation("first"))["totalMessages"] == 20


async def test_a_batch_and_how_far_it_brings_the_job_are_one(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies after recording and before it says so has recorded nothing."""
    small_batches(monkeypatch)
    job = await sent(api, lines(a_log("first")))
    save = IngestJob.save

    def die(self: IngestJob, *args: Any, **options: Any) -> None:
        if self.processed >= 9:
            raise SystemExit
        save(self, *args, **options)

    with monkeypatch.context() as dying:
        dying.setattr(IngestJob, "save", die)
        with pytest.raises(SystemExit):
            await worked()
    halfway = await shown(api, job)
    assert halfway["processed"] == 6
    assert (await api.conversation("first"))["totalMessages"] == 4

    await worked()

    assert counts(await shown(api, job)) == (23, 0, 0, 0)


async def test_a_file_that_is_gone_fails_its_import(api: Api) -> None:
    job = await sent(api, lines(a_log("first")))
    files.remove(job["id"])

    await worked()

    failed = await shown(api, job)
    assert (failed["status"], failed["errors"][0]["line"]) == ("failed", None)


async def test_the_file_goes_when_the_import_is_over(api: Api, tmp_path: Path) -> None:
    await sent(api, lines(a_log("first")))
    (waiting,) = (tmp_path / "imports").iterdir()
    assert waiting.stat().st_mode & 0o777 == 0o600

    await worked()

    assert left_in_the_folder() == []


async def test_what_was_forgotten_is_swept_up(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "RECEIVED_WITHIN_S", -1)
    await sent(api, lines(a_log("first")))
    (wanted,) = left_in_the_folder()
    (tmp_path / "imports" / "left.part").touch()

    def lose_the_job() -> None:
        ProcrastinateJob.objects.all()._raw_delete("default")

    def queued() -> int:
        return ProcrastinateJob.objects.filter(task_name=tasks.import_file.name).count()

    await database_sync_to_async(lose_the_job)()
    await database_sync_to_async(tasks.sweep_imports)(0)

    assert left_in_the_folder() == [wanted]
    assert await database_sync_to_async(queued)() == 1


def left_in_the_folder() -> list[str]:
    folder = files.folder()
    return [path.name for path in folder.iterdir()] if folder.exists() else []


# Stopped by hand


async def test_a_cancelled_import_stops_and_keeps_what_it_has(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    job = await sent(api, lines(a_log("first")))
    stops = iter([False, False, True])
    with pytest.raises(JobAborted):
        await worked(lambda: next(stops))

    answer = await api.post(f"{JOBS}/{job['id']}/cancel")
    await worked()

    assert (answer.status_code, answer.json()["job"]["status"]) == (200, "cancelled")
    found = await shown(api, job)
    assert (found["status"], found["processed"]) == ("cancelled", 6)
    assert found["finished_at"]
    assert left_in_the_folder() == []
    again = await api.post(f"{JOBS}/{job['id']}/cancel")
    assert (again.status_code, "error" in again.json()) == (409, True)


async def test_a_worker_in_the_middle_of_a_cancelled_import_stops(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    job = await sent(api, lines(a_log("first")))
    asked = 0

    def cancel_meanwhile() -> bool:
        nonlocal asked
        asked += 1
        if asked == 3:
            IngestJob.objects.update(status="cancelled")
        return False

    await worked(cancel_meanwhile)

    assert (await shown(api, job))["processed"] == 6


async def test_a_finished_import_cannot_be_cancelled(api: Api) -> None:
    job = await imported(api, lines(a_log("first")))

    assert (await api.post(f"{JOBS}/{job['id']}/cancel")).status_code == 409


# Who sees it


async def test_imports_are_listed_newest_first(api: Api) -> None:
    first, second = await sent(api, b"{}"), await sent(api, b"{}")

    page = (await api.get(f"{JOBS}?page_size=1")).json()

    assert [job["id"] for job in page["items"]] == [second["id"]]
    assert (page["total"], page["has_more"]) == (2, True)
    assert first["id"] != second["id"]


@pytest.fixture
async def reader(project: Project) -> AsyncIterator[Api]:
    make = database_sync_to_async(make_key)
    async with Api((await make(project, "reader", scopes=["read"]))[1]) as reader:
        yield reader


async def test_scopes_are_asked_for(api: Api, reader: Api) -> None:
    job = await sent(api, b"{}")

    assert (await reader.post(JOBS, content=b"{}", headers=NDJSON)).status_code == 403
    assert (await reader.post(f"{JOBS}/{job['id']}/cancel")).status_code == 403
    assert (await reader.get(JOBS)).status_code == 200


async def test_a_member_imports_from_the_browser(api: Api, bob: User) -> None:
    browser = await database_sync_to_async(signed_in)(bob)
    log = lines(a_log("first", 2))
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="log"\r\n\r\n'
    form = {**browser, "content-type": "multipart/form-data; boundary=b"}

    heard = [
        await knock(JOBS, method="POST", headers=form, body=part + log + b"\r\n--b--\r\n"),
        await knock(JOBS, method="POST", headers={**browser, **NDJSON}, body=log),
    ]
    await worked()

    assert [answer.status for answer in heard] == [202, 202], heard
    jobs = (await api.get(JOBS)).json()["items"]
    assert sorted(map(counts, jobs)) == [(0, 5, 0, 0), (5, 0, 0, 0)]


async def test_a_job_is_found_in_its_own_project_only(api: Api, bob: User) -> None:
    job = await sent(api, b"{}")
    await database_sync_to_async(_second_project)(bob)
    browser = await database_sync_to_async(signed_in)(bob)

    assert (await knock(f"{JOBS}/{job['id']}", headers=browser)).status == 200
    elsewhere = f"/api/projects/second/ingest/jobs/{job['id']}"
    assert (await knock(elsewhere, headers=browser)).status == 404
    assert (await knock(f"{JOBS}/{job['id']}%00", headers=browser)).status == 404


def _second_project(member: User) -> None:
    Project.objects.create(slug="second").members.add(member)


async def test_the_rate_of_uploads_is_kept_and_reading_is_free(project: Project) -> None:
    make = database_sync_to_async(make_key)
    async with Api((await make(project, "slow", rates={"upload": "1/60"}))[1]) as slow:
        for _ in range(3):
            assert (await slow.get(JOBS)).status_code == 200
        assert (await slow.post(JOBS, content=b"{}", headers=NDJSON)).status_code == 202
        assert (await slow.post(JOBS, content=b"{}", headers=NDJSON)).status_code == 429


# What followers hear


async def test_a_follower_of_the_project_hears_of_the_import_and_of_its_messages(
    api: Api, key: str
) -> None:
    async with Socket("/api/stream/projects/tower", key=key) as socket:
        await socket.frame()
        job = await sent(api, lines(a_log("first", 2)))
        await worked()
        frames = await socket.frames(9)

    kinds = [frame["type"] for frame in frames]
    assert kinds[:2] == ["ingest.job.created", "ingest.job.updated"]
    assert kinds.count("message.created") == 2
    assert kinds[-1] == "ingest.job.completed"
    assert frames[-1]["job"] == await shown(api, job)


async def test_the_socket_of_an_import_begins_with_its_present_state(api: Api, key: str) -> None:
    job = await sent(api, lines(a_log("first", 2)))
    address = f"/api/stream/projects/tower/ingest/{job['id']}"
    async with Socket(address, key=key) as socket:
        assert (await socket.frame())["type"] == "connected"
        assert await socket.frame() == {"type": "ingest.job.updated", "job": job}
        await worked()
        frames = await socket.frames(3)

    assert [frame["type"] for frame in frames] == [
        "ingest.job.updated",
        "ingest.job.updated",
        "ingest.job.completed",
    ]
    async with Socket(f"{address}?since={frames[0]['id']}", key=key) as socket:
        assert (await socket.frame())["type"] == "connected"
        assert await socket.frames(2) == frames[1:]
    async with Socket(f"/api/stream/projects/tower/ingest/{'c' * 25}", key=key) as socket:
        assert await socket.closed_with() == 4404


async def test_progress_is_told_at_most_ten_times_a_second(
    api: Api, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    small_batches(monkeypatch)
    monkeypatch.setattr(imports, "TOLD_EVERY_S", 3600)
    job = await sent(api, lines(a_log("first")))
    await worked()
    async with Socket(f"/api/stream/projects/tower/ingest/{job['id']}?since=0", key=key) as socket:
        await socket.frame()
        kinds = [frame["type"].rpartition(".")[2] for frame in await socket.frames(4)]

    assert kinds == ["created", "updated", "updated", "completed"]


def _rows() -> tuple[int, int]:
    return Conversation.objects.count(), Message.objects.count()


async def test_ids_of_the_client_are_kept(api: Api) -> None:
    conversation = str(uuid4())
    log = a_log(conversation, 2)

    await imported(api, lines(log))

    assert await database_sync_to_async(_rows)() == (1, 2)
    ids = [message["id"] for message in await api.messages(conversation)]
    assert ids == [event["data"]["message_id"] for event in log[2:4]]


# The same request twice


async def test_a_file_that_is_sent_again_under_its_key_is_the_same_job(
    api: Api, tmp_path: Path
) -> None:
    content, key = lines(a_log("first", 3)), {"idempotency-key": "k-1"}
    first = await sent(api, content, **key)

    waiting = await sent(api, content, **key)
    await worked()
    done = await sent(api, content, **key)
    other = await sent(api, content, **{"idempotency-key": "k-2"})

    assert waiting == first
    assert (done["id"], done["status"]) == (first["id"], "completed")
    assert other["id"] != first["id"]
    assert [path.name for path in (tmp_path / "imports").iterdir()] == [other["id"]]


async def test_a_key_stands_for_one_file(api: Api, tmp_path: Path) -> None:
    key = {"idempotency-key": "k-1"}
    first = await sent(api, lines(a_log("first", 3)), **key)

    answer = await api.post(JOBS, content=lines(a_log("other", 3)), headers={**NDJSON, **key})

    assert (answer.status_code, answer.json().keys()) == (422, {"error"})
    assert [path.name for path in (tmp_path / "imports").iterdir()] == [first["id"]]


async def test_a_key_is_forgotten_after_a_day(api: Api) -> None:
    content, key = lines(a_log("first", 3)), {"idempotency-key": "k-1"}
    first = await sent(api, content, **key)

    yesterday = timezone.now() - timedelta(hours=25)
    await database_sync_to_async(Receipt.objects.update)(created_at=yesterday)

    assert (await sent(api, content, **key))["id"] != first["id"]


async def test_requests_that_race_under_one_key_make_one_job(api: Api) -> None:
    content, key = lines(a_log("first", 3)), {"idempotency-key": "k-1"}

    jobs = await asyncio.gather(*(sent(api, content, **key) for _ in range(6)))

    assert len({job["id"] for job in jobs}) == 1
    assert await database_sync_to_async(IngestJob.objects.count)() == 1
