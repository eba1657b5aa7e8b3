"""Byte for byte what a client written in Go sends in a session: its times carry nanoseconds and
an offset, an absent conversation is an empty text, absent details are null."""

import json
from pathlib import Path

import httpx
import pytest

from tests.clients import Api

SESSION = [
    json.loads(line)
    for line in (Path(__file__).parent / "go_client.jsonl").read_text("utf-8").splitlines()
]
HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "Go-http-client/1.1",
    "Accept-Encoding": "gzip",
}


async def send(api: Api, body: str) -> httpx.Response:
    return await api.post("/api/ingest", content=body.encode(), headers=HEADERS)


async def play(api: Api) -> str:
    """Send the whole session; says which conversation it made."""
    conversation = ""
    for step in SESSION:
        answer = await send(api, step["body"].replace("$conversation", conversation))
        assert answer.status_code == step["status"], answer.text
        assert answer.headers["Content-Type"] == "application/json"
        assert isinstance(answer.json(), dict)
        assert answer.headers.get("Connection") != "close"
        conversation = conversation or answer.json()["conversationId"]
    return conversation


async def test_a_session_of_the_go_client_is_recorded(api: Api) -> None:
    conversation = await play(api)

    found = await api.conversation(conversation)
    messages = await api.messages(conversation)
    kinds = [frame["type"] for frame in await api.events(conversation)]
    assert (found["name"], found["maxTurns"], found["status"]) == ("Tower", 10, "INTERRUPTED")
    assert found["startedAt"] == "2026-11-21T11:03:12.989876Z"
    assert (found["totalMessages"], found["totalTokens"]) == (5, 45)
    assert (found["totalCost"], found["totalDuration"]) == (0.00375, 4500)
    assert found["errorMessage"] == "boom too"
    assert found["metadata"]["cliVersion"] == "0.1.0"
    assert found["metadata"]["completionReason"] == "max_turns"
    assert found["metadata"]["interruptReason"] == "ctrl-c"
    assert found["metadata"]["reported"]["totalMessages"] == 5
    assert messages[0]["content"] == "line 0 <b> & é"
    assert {message["timestamp"] for message in messages} > {"0001-01-01T00:00:00Z"}
    assert kinds == [
        "conversation.started",
        *["message.created"] * 5,
        "error.occurred",
        "conversation.completed",
        "conversation.interrupted",
    ]


async def test_a_session_that_is_sent_again_changes_nothing(api: Api) -> None:
    first = await play(api)
    before = await api.conversation(first)

    assert await play(api) == first
    assert await api.conversation(first) == before


async def test_a_failure_is_answered_so_that_the_body_is_sent_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("Boom")

    for way in ("agentpipe.api.ingest_door.receive", "conversations.ingest.views.receive"):
        monkeypatch.setattr(way, broken)
    answer = await send(api, SESSION[0]["body"])

    assert (answer.status_code, answer.json()) == (500, {"error": "Internal server error"})
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers.get("Connection") != "close"
