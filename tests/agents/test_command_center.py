"""The command center: one request, and in its answer the steps of the reply."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async

from agents import roster
from agents.backends import scripted
from agents.backends.base import Assignment, Scribe, Usage
from agents.models import Chat
from conversations.models import Project
from conversations.services import make_key
from tests.agentpipe.knocking import Heard, knock
from tests.agents.chatting import ENDED, Chatting
from tests.clients import Api, Json, Sse, eventually, sse

DOOR = "/api/command-center/message"


class Gated:
    """Says one word, and the rest only when it may."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked: list[Assignment] = []

    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        self.asked.append(assignment)
        await scribe.say("Once ")
        await self.gate.wait()
        await scribe.say("upon a time")
        used = Usage(input_tokens=45, output_tokens=234, requests=1, cost=Decimal("0.0038254"))
        await scribe.spend(used)


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> Gated:
    gated = Gated()
    monkeypatch.setattr(roster, "backend_of", lambda path: gated)
    return gated


@asynccontextmanager
async def commanded(key: str, message: str = "Tell me", **given: Any) -> AsyncIterator[Sse]:
    posted = {"agentId": "scripted", "message": message, **given}
    async with sse(DOOR, key=key, posted=posted) as stream:
        assert stream.status == 200
        yield stream


async def rest_of(stream: Sse) -> list[tuple[str, Json]]:
    """What is told until the connection is closed."""
    told: list[tuple[str, Json]] = []
    while True:
        try:
            fields = await stream.fields()
        except EOFError:
            return told
        told.append((fields["event"], json.loads(fields["data"])))


async def refused(key: str | None, body: object) -> Heard:
    return await knock(
        DOOR,
        method="POST",
        key=key,
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode(),
    )


async def answer_in(api: Api, chat: str) -> Json:
    """The last answer of a chat, once it has come to its end."""

    async def last() -> Json:
        message: Json = (await api.get(f"/api/chats/{chat}/messages")).json()["items"][-1]
        return message

    async def has_ended() -> bool:
        return (await last())["status"] in ENDED

    await eventually(has_ended)
    return await last()


async def test_the_first_byte_comes_before_anybody_has_begun(api: Api, key: str) -> None:
    async with commanded(key) as stream:
        assert await asyncio.wait_for(stream.chunks.get(), 5) == b"retry: 3000\n\n"
        assert stream.headers["content-type"] == "text/event-stream"
        shown = await api.conversation(stream.headers["x-conversation-id"])
    assert (shown["kind"], shown["name"]) == ("chat", "Tell me")


@pytest.mark.usefixtures("worker")
async def test_chunk_by_chunk_then_the_cost_and_done(api: Api, key: str, gated: Gated) -> None:
    async with commanded(key) as stream:
        first = await stream.fields()
        # The agent still waits: what it has said was not held back.
        assert (first["event"], first["data"]) == ("chunk", '{"text":"Once "}')
        gated.gate.set()
        told = await rest_of(stream)
        chat = stream.headers["x-conversation-id"]

    *chunks, cost, done = told
    assert {name for name, _ in chunks} == {"chunk"}
    assert "".join(data["text"] for _, data in chunks) == "upon a time"
    assert cost == ("cost", {"inputTokens": 45, "outputTokens": 234, "totalCost": 0.003825})
    assert done == ("done", {})
    answer = await answer_in(api, chat)
    assert (answer["content"], answer["status"]) == ("Once upon a time", "completed")
    stored = (await api.messages(chat))[-1]
    assert (stored["inputTokens"], stored["outputTokens"]) == (45, 234)
    assert round(stored["cost"], 6) == 0.003825


@pytest.mark.usefixtures("worker")
async def test_who_leaves_halfway_finds_the_answer_saved(api: Api, key: str, gated: Gated) -> None:
    async with commanded(key) as stream:
        await stream.fields()
        chat = stream.headers["x-conversation-id"]
    gated.gate.set()

    answer = await answer_in(api, chat)

    assert (answer["content"], answer["status"]) == ("Once upon a time", "completed")
    shown = await api.conversation(chat)
    assert (shown["totalTokens"], round(shown["totalCost"], 6)) == (279, 0.003825)


@pytest.mark.usefixtures("worker")
async def test_what_fails_is_told_and_the_connection_closed(
    api: Api, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = [{"say": "Well, "}, {"fail": "No such tower"}]
    monkeypatch.setattr(scripted, "DEMO", script)

    async with commanded(key) as stream:
        told = await rest_of(stream)
        chat = stream.headers["x-conversation-id"]

    assert told == [("chunk", {"text": "Well, "}), ("error", {"error": "No such tower"})]
    answer = await answer_in(api, chat)
    assert (answer["status"], answer["error"]) == ("error", "No such tower")


@pytest.mark.usefixtures("worker", "gated")
async def test_what_is_cancelled_elsewhere_closes_the_connection(api: Api, key: str) -> None:
    async with commanded(key) as stream:
        await stream.fields()
        chat = stream.headers["x-conversation-id"]
        question = (await api.get(f"/api/chats/{chat}/messages")).json()["items"][0]
        path = f"/api/chats/{chat}/messages/{question['message_id']}/cancel"
        assert (await api.post(path)).status_code == 200
        assert await rest_of(stream) == [("error", {"error": "Cancelled"})]


@pytest.mark.usefixtures("worker")
async def test_a_conversation_goes_on_with_what_was_said_before(
    api: Api, key: str, gated: Gated
) -> None:
    gated.gate.set()
    async with commanded(key, "Tell me") as stream:
        await rest_of(stream)
        chat = stream.headers["x-conversation-id"]

    async with commanded(key, "Go on", conversationId=chat) as stream:
        await rest_of(stream)
        assert stream.headers["x-conversation-id"] == chat

    history = [(turn.role, turn.content) for turn in gated.asked[-1].history]
    assert history == [("user", "Tell me"), ("assistant", "Once upon a time")]
    assert (await api.conversation(chat))["totalMessages"] == 4


@pytest.mark.usefixtures("worker")
async def test_another_agent_may_go_on(api: Api, key: str, gated: Gated) -> None:
    gated.gate.set()
    chat = await Chatting(api, key).open(agent_id="guide")
    async with commanded(key, conversationId=chat) as stream:
        await rest_of(stream)
    assert gated.asked[0].agent.id == "scripted"


async def test_an_agent_that_nobody_knows_is_said_before_any_stream(api: Api, key: str) -> None:
    heard = await refused(key, {"agentId": "nobody", "message": "Hello"})
    assert (heard.status, heard.json()) == (404, {"error": "Agent not found"})
    assert await Chat.objects.acount() == 0


async def test_a_conversation_that_is_not_there_is_said_before_any_stream(
    api: Api, key: str
) -> None:
    chat = await Chatting(api, key).open()
    recorded = await api.start()
    foreign = await Project.objects.acreate(slug="other")
    _, other = await database_sync_to_async(make_key)(foreign, "other")
    for asked_with, conversation in (
        (other, chat),
        (key, recorded),
        (key, str(uuid4())),
        (key, "a\0b"),
    ):
        body = {"agentId": "guide", "message": "?", "conversationId": conversation}
        heard = await refused(asked_with, body)
        assert (heard.status, heard.json()) == (404, {"error": "Chat not found"})
    assert (await api.conversation(chat))["totalMessages"] == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "agentId"),
        ({"agentId": "guide"}, "message"),
        ({"agentId": "guide", "message": ""}, "message"),
        ({"agentId": "guide", "message": None}, "message"),
        ({"agentId": "guide", "message": "x" * 200_001}, "message"),
        ({"agentId": ["guide"], "message": "?"}, "agentId"),
        ({"agentId": "guide", "message": "?", "conversationId": {}}, "conversationId"),
        ([], ""),
    ],
)
async def test_a_command_that_is_none_is_refused(
    api: Api, key: str, body: object, field: str
) -> None:
    heard = await refused(key, body)
    assert heard.status == 400
    assert heard.json()["field"] == field
    assert await Chat.objects.acount() == 0


@pytest.mark.parametrize("message", ["   ", "x" * 200_000, "a\0b\ud800", "🗼" * 300])
async def test_odd_messages_are_asked_like_others(api: Api, key: str, message: str) -> None:
    async with commanded(key, message) as stream:
        chat = stream.headers["x-conversation-id"]
    (question, _) = (await api.get(f"/api/chats/{chat}/messages")).json()["items"]
    assert question["content"] == message.replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    assert 0 < len((await api.conversation(chat))["name"]) <= 80
