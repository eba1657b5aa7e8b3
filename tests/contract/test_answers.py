"""What the doors of the ingest family answer, one file per story."""

import json
from typing import Any

import pytest

from tests.clients import Api, opened
from tests.contract import golden


@pytest.mark.parametrize("name", golden.files("answers"))
async def test_an_answer_is_what_was_agreed(api: Api, name: str) -> None:
    start = await api.ingest("conversation.started", opened(), timestamp="2026-11-20T10:00:00Z")
    conversation = start.json()["conversationId"]
    for step in golden.read("answers", name):
        method, _, path = step["request"].partition(" ")
        body = text(step.get("body")).replace("$conversation", conversation)
        answer = await api.request(
            method,
            path.replace("$conversation", conversation),
            content=body or None,
            headers={"Content-Type": "application/json", **step.get("headers", {})},
        )

        assert answer.headers["content-type"] == "application/json"
        found = {"status": answer.status_code, "answer": golden.normalised(answer.json())}
        assert found == {"status": step["status"], "answer": step["answer"]}, step["request"]


def text(body: Any) -> str:
    """Bodies that are no JSON are written as texts."""
    if body is None:
        return ""
    return body if isinstance(body, str) else json.dumps(body)
