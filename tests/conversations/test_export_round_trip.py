"""What leaves as JSON comes in again by an upload, and leaves once more as the same bytes."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from asgiref.sync import sync_to_async
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conversations.export import reading
from conversations.ingest.receive import receive
from conversations.models import Project
from conversations.services import make_key
from tests.agentpipe.nonsense import generated
from tests.clients import Api, Json
from tests.conversations.exported import exported
from tests.conversations.test_upload import session

NASTY = "\0\r\n\t\"\\\ud800\udfff\u2028\u202e\ufeff\u0301'<"
EXAMPLES = 40

TEXT = st.text(
    st.one_of(st.characters(), st.sampled_from(NASTY)),
    min_size=1,
    max_size=12,
)
WHOLE = st.one_of(st.integers(0, 5), st.integers(0, 2**63 - 1))
COST = st.one_of(st.just(0), st.floats(0, 1), st.floats(0, 1e15), st.floats(0, 1e-9))
TIME = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='microseconds')}Z")
AGENTS = ["a-1", "a\u0301", "塔 2"]
VALUE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**60), 10**60),
        st.integers(-(10**41), 10**41),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(
    st.one_of(TEXT, st.sampled_from(["source", "uploadedAt", "ingestedAt", "originalId"])),
    VALUE,
    max_size=4,
)


def fields(optional: dict[str, SearchStrategy[Any]], **given: SearchStrategy[Any]) -> Any:
    return st.fixed_dictionaries(given, optional=optional)


METRICS = fields(
    {
        "duration": st.integers(1, 2**63 - 1),
        "inputTokens": WHOLE,
        "outputTokens": WHOLE,
        "totalTokens": WHOLE,
        "model": TEXT,
        "cost": COST,
    }
)
SESSIONS = fields(
    {},
    session=fields(
        {"maxTurns": st.integers(1, 1000), "totalDuration": WHOLE, "metadata": OBJECT},
        name=TEXT,
        mode=st.sampled_from(["round-robin", "reactive", "free-form"]),
        initialPrompt=TEXT,
        status=st.sampled_from(["ACTIVE", "COMPLETED", "INTERRUPTED", "ERROR"]),
        startedAt=TIME,
    ),
    participants=st.permutations(AGENTS).flatmap(
        lambda agents: st.tuples(
            *[
                fields(
                    {
                        "agentVersion": TEXT,
                        "model": TEXT,
                        "prompt": TEXT,
                        "announcement": TEXT,
                        "settings": OBJECT,
                    },
                    agentId=st.just(agent),
                    agentType=TEXT,
                    agentName=TEXT,
                )
                for agent in agents
            ]
        )
    ),
    messages=st.lists(
        fields(
            {"agentVersion": TEXT, "sequenceNumber": WHOLE, "metrics": METRICS},
            agentId=st.sampled_from(AGENTS),
            agentName=TEXT,
            agentType=TEXT,
            content=TEXT,
            role=st.sampled_from(["agent", "user", "system"]),
            timestamp=TIME,
        ),
        max_size=6,
    ),
)

MAYBE = st.one_of(TEXT, st.just(""))
NUMBER = st.one_of(st.integers(0, 3), st.integers(0, 2**63 - 1))
# What the command-line tool may send: it leaves out whatever is empty.
MESSAGES = st.lists(
    fields(
        {
            "agent_id": MAYBE,
            "agent_name": MAYBE,
            "role": st.sampled_from(["", "agent", "user", "system", "assistant", "Tool"]),
            "sequence_number": NUMBER,
            "turn_number": NUMBER,
            "tokens_used": NUMBER,
            "cost": COST,
            "model": MAYBE,
            "duration_ms": NUMBER,
        },
        agent_type=MAYBE,
        content=MAYBE,
    ),
    min_size=1,
    max_size=6,
)
STARTS = fields(
    {
        "mode": MAYBE,
        "initial_prompt": MAYBE,
        "max_turns": st.integers(0, 1000),
        "participants": st.lists(
            fields(
                {"agent_id": MAYBE, "name": MAYBE, "model": MAYBE, "prompt": MAYBE},
                agent_type=MAYBE,
            ),
            max_size=3,
        ),
        "extra": VALUE,
    }
)
RECORDED = st.tuples(MESSAGES, st.none() | STARTS, st.booleans(), TIME)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE", 2)


@pytest.fixture
async def elsewhere(api: Api) -> AsyncIterator[Api]:
    """Another project, to which whatever was uploaded here is new."""
    other = await sync_to_async(Project.objects.create)(slug="elsewhere")
    _, key = await sync_to_async(make_key)(other, "tests", rates={"upload": "0"})
    async with Api(key) as elsewhere:
        yield elsewhere


async def uploaded(api: Api, body: bytes) -> str:
    answer = await api.post(
        "/api/sessions/upload", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 201, (answer.text, body.decode()[:2000])
    conversation_id: str = answer.json()["conversationId"]
    return conversation_id


def without(metadata: Json) -> Json:
    """Without what an upload writes by itself."""
    marks = {"source", "uploadedAt", "isHistoricalUpload"}
    return {name: value for name, value in metadata.items() if name not in marks}


async def test_an_export_of_an_upload_goes_in_and_comes_out_the_same(
    api: Api, elsewhere: Api
) -> None:
    for number, body in enumerate(generated(SESSIONS, EXAMPLES)):
        metadata = body["session"].get("metadata", {})
        if "originalId" in metadata:
            metadata["originalId"] = f"{number} {uuid4()}"
        first = await exported(api, await uploaded(api, json.dumps(body).encode()), "json")
        second = await exported(elsewhere, await uploaded(elsewhere, first.content), "json")

        assert first.content == second.content
        assert_same(first, body)


def assert_same(answer: httpx.Response, body: Json) -> None:
    """All that was uploaded is there, but for numbers that are kept to some digit."""
    shown = answer.json()
    for message in body["messages"]:
        message.get("metrics", {}).pop("cost", None)
    contents = {fit(message["content"]) for message in body["messages"]}
    assert {message["content"] for message in shown["messages"]} == contents
    assert len(shown["messages"]) == len(body["messages"])
    times = {message["timestamp"].replace(".000000Z", "Z") for message in body["messages"]}
    assert {message["timestamp"] for message in shown["messages"]} == times
    assert [each["agentId"] for each in shown["participants"]] == [
        fit(each["agentId"]) for each in body["participants"]
    ]
    for name in ("name", "mode", "initialPrompt", "status"):
        assert shown["session"][name] == fit(body["session"][name])
    assert len(shown["session"]["metadata"]) == len(
        {fit(name) for name in without(body["session"].get("metadata", {}))}
    )


def fit(text: str) -> str:
    return "".join(
        "\ufffd" if each == "\0" or "\ud800" <= each <= "\udfff" else each for each in text
    )


async def test_an_export_of_what_was_recorded_can_be_uploaded_and_comes_out_the_same(
    api: Api, elsewhere: Api, project: Project
) -> None:
    """Also where the command-line tool left out what an upload demands."""
    for messages, start, has_ended, moment in generated(RECORDED, EXAMPLES):
        conversation = {"conversation_id": str(uuid4())}
        events = [
            {"type": "message.created", "timestamp": moment, "data": {**message, **conversation}}
            for message in messages
        ]
        if start is not None:
            events.append(
                {"type": "conversation.started", "timestamp": moment, "data": start | conversation}
            )
        if has_ended:
            end = {**conversation, "status": "completed", "duration_seconds": 0.5}
            events.append({"type": "conversation.completed", "timestamp": moment, "data": end})
        given = json.loads(fit_json(events))
        answers = await sync_to_async(receive)(given, project=project)
        assert {answer.status for answer in answers} <= {200, 201}

        first = await exported(api, conversation["conversation_id"], "json")
        second = await exported(elsewhere, await uploaded(elsewhere, first.content), "json")

        assert first.content == second.content
        stored = await api.messages(conversation["conversation_id"])
        assert [message["content"] for message in first.json()["messages"]] == [
            message["content"] or " " for message in stored
        ]


def fit_json(events: list[Json]) -> str:
    written = json.dumps(events, ensure_ascii=False)
    return fit(written.replace("\\u0000", "\ufffd"))


async def test_what_the_record_lacks_gets_the_nearest_that_an_upload_takes(api: Api) -> None:
    await api.ingest("message.created", {"conversation_id": "s-1", "agent_type": "claude"})
    await api.say("s-1", "Two", agent_id="a-2", agent_name="", role="assistant", duration_ms=0)

    shown = (await exported(api, "s-1", "json")).json()

    assert shown["session"]["mode"] == "free-form"
    assert shown["session"]["initialPrompt"] == " "
    assert shown["participants"] == [
        {"agentId": "claude", "agentType": "claude", "agentName": "claude"},
        {"agentId": "a-2", "agentType": "claude", "agentName": "a-2"},
    ]
    assert [message["content"] for message in shown["messages"]] == [" ", "Two"]
    assert {message["role"] for message in shown["messages"]} == {"agent"}
    assert "duration" not in shown["messages"][1].get("metrics", {})


async def test_what_is_too_large_for_an_upload_is_exported_whole(
    api: Api, project: Project
) -> None:
    prompt = "p" * 20_000
    await api.start("s-1", initial_prompt=prompt, name="n" * 300, max_turns=5_000)
    messages = [
        {"type": "message.created", "data": {"conversation_id": "s-1", "agent_type": f"b-{number}"}}
        for number in range(60)
    ]
    await sync_to_async(receive)(messages, project=project)

    shown = (await exported(api, "s-1", "json")).json()

    assert shown["session"]["initialPrompt"] == prompt
    assert shown["session"]["maxTurns"] == 5_000
    assert (len(shown["participants"]), len(shown["messages"])) == (61, 60)


async def test_an_uploaded_export_keeps_its_original_id(api: Api) -> None:
    body = session("one", metadata={"originalId": "o-1"})
    first = await exported(api, await uploaded(api, json.dumps(body).encode()), "json")

    again = await api.post("/api/sessions/upload", json=first.json())

    assert first.json()["session"]["metadata"] == {"originalId": "o-1"}
    assert again.status_code == 409
