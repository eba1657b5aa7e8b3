"""Nonsense at every door: it is refused in a sentence, and the server goes on as before.

The requests are generated, and the same ones in every run: some of them in `make test`, all of
them in `make faults` (AGENTPIPE_FAULTS=long).
"""

import json
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from tests.agentpipe.knocking import Heard, knock
from tests.agentpipe.nonsense import (
    IS_LONG,
    TEXTS,
    VALUES,
    WRITTEN,
    dealt,
    generated,
    places,
    raw_bodies,
    spoiled,
    spoiled_events,
)
from tests.clients import Api, Json

JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
TRACES = (b"Traceback", b'File "', b"django.", b"psycopg", b"<html")


def assert_civil(heard: Heard, asked: object) -> None:
    said = f"{asked!r:.1500} → {heard.status} {heard.body[:500]!r}"
    assert heard.status < 500, said
    if heard.status >= 400:
        assert heard.is_json, said
        assert heard.error, said
        assert not [trace for trace in TRACES if trace in heard.body], said


async def test_requests_made_from_the_schema_are_answered_civilly(
    api: Api, key: str, conversation: str
) -> None:
    generator: Any = SchemaGenerator
    document = generator().get_schema(request=None, public=True)
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(document)))
    cases: list[Case[Any]] = []
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # an Err fails here, as it should
        for mode in GenerationMode:
            cases += generated(operation.as_strategy(generation_mode=mode), 30)
    assert len(cases) > (500 if IS_LONG else 150)

    for case in cases:
        prepared = _prepared(case)
        address = urlsplit(str(prepared.url))
        body: Any = prepared.body or b""
        heard = await knock(
            address.path,
            method=case.method,
            query=address.query,
            headers={"content-type": case.media_type or "application/json"},
            key=key,
            body=body.encode() if isinstance(body, str) else body,
            pieces=1,
        )
        assert_civil(heard, case)


def _prepared(case: Case[Any]) -> requests.PreparedRequest:
    wanted = case.as_transport_kwargs(base_url="http://localhost:8000")
    known = ("method", "url", "params", "json", "data")
    request = requests.Request(**{name: wanted[name] for name in known if name in wanted})
    return request.prepare()


async def test_spoiled_events_are_answered_civilly(key: str, conversation: str) -> None:
    for event in generated(spoiled_events(), 800):
        body = json.dumps(event).encode()
        heard = await knock("/api/ingest", method="POST", headers=JSON, key=key, body=body)
        assert_civil(heard, event)


async def test_spoiled_batches_are_answered_civilly(key: str, conversation: str) -> None:
    batches = generated(st.lists(spoiled_events() | VALUES, max_size=6), 120)
    for number, batch in enumerate(batches):
        if number % 2:
            headers, body = JSON, json.dumps(batch).encode()
        else:
            headers, body = NDJSON, b"\n".join(json.dumps(event).encode() for event in batch)
        heard = await knock("/api/ingest/batch", method="POST", headers=headers, key=key, body=body)
        assert_civil(heard, batch)
        for result in heard.json().get("results", []):
            assert result["status"] < 500, (batch, result)
            assert result["status"] < 300 or result["error"]


@pytest.mark.parametrize("target", ["/api/ingest", "/api/ingest/batch", "/api/stream-tokens"])
async def test_bodies_that_are_none_are_answered_civilly(
    target: str, key: str, conversation: str
) -> None:
    for body in raw_bodies():
        for headers in (JSON, NDJSON):
            heard = await knock(target, method="POST", headers=headers, key=key, body=body)
            assert_civil(heard, (target, headers, body))


async def test_streams_that_are_none_get_no_token(key: str, conversation: str) -> None:
    kinds = st.sampled_from(["project:", "conversation:", "message:", ":", "", "\0:"])
    names = st.builds(str.__add__, kinds, st.sampled_from(TEXTS) | st.text(max_size=30))
    for wanted in generated(VALUES | st.fixed_dictionaries({"stream": names | VALUES}), 150):
        body = json.dumps(wanted).encode()
        heard = await knock("/api/stream-tokens", method="POST", headers=JSON, key=key, body=body)
        assert_civil(heard, wanted)
        assert heard.status >= 400


QUERIES = {
    "/api/conversations": [
        "page",
        "page_size",
        "status",
        "mode",
        "source",
        "agent",
        "project",
        "q",
    ],
    "/api/conversations/{}/messages": ["page", "page_size", "after", "before"],
    "/api/conversations/{}/participants": ["page", "page_size"],
    "/api/conversations/{}/events": ["since", "page_size"],
    "/api/realtime/stream": ["since", "conversationId", "project", "token"],
    "/api/realtime/stats": ["range"],
    "/api/projects/tower/runs": ["status", "after"],
    "/api/users/ada/chats": ["project"],
    "/api/schema": ["format", "lang", "version"],
    "/api/docs": ["script"],
}


async def test_queries_that_mean_nothing_are_answered_civilly(key: str, conversation: str) -> None:
    texts = [quote(text, safe="") for text in generated(st.text(max_size=30), 15)]
    asked = [(target, name) for target, names in QUERIES.items() for name in names]
    for place, (target, name) in enumerate(asked):
        for value in dealt([*WRITTEN, *texts], place):
            query = f"{name}={quote(value, safe='%+&=')}"
            address = target.format(conversation)
            heard = await knock(address, query=query, key=key, pieces=1)
            if not (target == "/api/docs" and heard.status == 200):
                assert_civil(heard, (address, query))


async def test_paths_to_nothing_are_answered_civilly(key: str, conversation: str) -> None:
    texts = [quote(text, safe="") for text in generated(st.text(min_size=1, max_size=30), 40)]
    for place, suffix in enumerate(("", "/messages", "/participants", "/events")):
        for value in dealt([*WRITTEN, *texts], place):
            name = quote(value, safe="%")
            heard = await knock(f"/api/conversations/{name}{suffix}", key=key)
            assert_civil(heard, (name, suffix))
            assert heard.status == 404


PLACES_OF_AGENTS = [
    *["/api/users/{}", "/api/users/{}/chats", "/api/chats/{}", "/api/chats/{}/messages"],
    *["/api/chats/{}/messages/{}/stream", "/api/messages/{}/events"],
    *["/api/projects/{}/runs", "/api/projects/tower/runs/{}", "/api/projects/tower/runs/{}/events"],
]


async def test_paths_to_no_agent_are_answered_civilly(key: str, conversation: str) -> None:
    texts = [quote(text, safe="") for text in generated(st.text(min_size=1, max_size=30), 20)]
    for number, place in enumerate(PLACES_OF_AGENTS):
        for value in dealt([*WRITTEN, *texts], number):
            name = quote(value, safe="%")
            heard = await knock(place.format(name, name), key=key)
            assert_civil(heard, (place, name))
            # Whoever has a name is made on first sight.
            assert heard.status == 404 or (heard.status == 200 and "users" in place)


QUESTIONS: dict[str, Json] = {
    "/api/users/ada/chats": {"title": "Towers", "agent_id": "guide", "metadata": {"a": {"b": [1]}}},
    "/api/chats/{}": {"title": "Towers"},
    "/api/chats/{}/messages": {"content": "How high?", "metadata": {"a": 1}, "agent_id": "guide"},
    "/api/projects/tower/runs": {"agentId": "guide", "prompt": "How high?", "metadata": {"a": 1}},
    "/api/command-center/message": {"agentId": "guide", "message": "?", "conversationId": "{}"},
}


@pytest.mark.parametrize("target", QUESTIONS)
async def test_questions_that_are_none_are_answered_civilly(
    target: str, api: Api, key: str, conversation: str
) -> None:
    chat = (await api.post("/api/users/ada/chats", json={})).json()["chat_id"]
    good = json.loads(json.dumps(QUESTIONS[target]).replace("{}", chat, 1))
    changes = st.tuples(st.sampled_from(list(places(good))[1:]), VALUES)
    bodies: list[Any] = [json.dumps(spoiled(good, *each)) for each in generated(changes, 90)]
    method = "PATCH" if target == "/api/chats/{}" else "POST"
    for body in [*bodies, *raw_bodies()[:: 1 if IS_LONG else 5]]:
        raw = body.encode() if isinstance(body, str) else body
        path = target.format(chat)
        heard = await knock(path, method=method, headers=JSON, key=key, body=raw, pieces=1)
        assert_civil(heard, (target, raw[:300]))


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "content-type",
        "content-encoding",
        "cookie",
        "host",
        "idempotency-key",
        "last-event-id",
        "origin",
        "x-csrftoken",
        "accept",
        "x-forwarded-for",
        "sec-fetch-site",
    ],
)
async def test_headers_that_mean_nothing_are_answered_civilly(
    name: str, key: str, conversation: str
) -> None:
    strange = ["", " ", "ü", "\udcff", "a\0b", '"\\000"', "sessionid=\0", 'sessionid="\\000"']
    strange += ["http://[", "[::1", "null", "*", ",", ";;;", "=", "-1", "9" * 400, "x" * 8_000]
    good = json.dumps({"type": "bridge.test", "data": {}}).encode()
    for value in strange:
        for given_key in (key, None):
            headers = {**JSON, name: value}
            for target, body in (("/api/ingest", good), ("/api/realtime/stream", b"")):
                method = "POST" if body else "GET"
                who = None if name == "authorization" else given_key
                heard = await knock(
                    target, method=method, headers=headers, key=who, body=[body], pieces=1
                )
                assert_civil(heard, (target, name, value))
