"""Files of conversations as tests make them, send them, and have them worked off."""

import json
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from channels.db import database_sync_to_async

from conversations.models import IngestJob
from conversations.upload import files, imports, tasks
from tests.clients import Api, Json, opened, said, started, told

JOBS = "/api/projects/tower/ingest/jobs"
NDJSON = {"content-type": "application/x-ndjson"}


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


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MOST_ITEMS", 3)


def left_in_the_folder() -> list[str]:
    folder = files.folder()
    return [path.name for path in folder.iterdir()] if folder.exists() else []
