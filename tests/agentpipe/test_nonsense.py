"""Nonsense at every door: it is refused in a sentence, and the server goes on as before.

The requests are generated, and the same ones in every run: some of them in `make test`, all of
them in `make faults` (AGENTPIPE_FAULTS=long).
"""

import copy
import json
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import pytest
import requests
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from schemathesis import Case, GenerationMode

from tests.agentpipe.knocking import Heard, knock
from tests.clients import NOW, Api, Json, Socket, opened, said, sse, started, told

T = TypeVar("T")

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
TRACES = (b"Traceback", b'File "', b"django.", b"psycopg", b"<html")


def generated(strategy: SearchStrategy[T], count: int) -> list[T]:
    found: list[T] = []

    @settings(
        max_examples=count if IS_LONG else max(2, count // 15),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(strategy)
    def collect(example: T) -> None:
        found.append(example)

    collect()
    return found


def dealt(values: list[str], place: int) -> list[str]:
    """In a short run each place gets some of them, and the next place others."""
    return values if IS_LONG else values[place % 6 :: 6]


def assert_civil(heard: Heard, asked: object) -> None:
    said = f"{asked!r:.1500} → {heard.status} {heard.body[:500]!r}"
    assert heard.status < 500, said
    if heard.status >= 400:
        assert heard.is_json, said
        assert heard.error, said
        assert not [trace for trace in TRACES if trace in heard.body], said


@pytest.fixture
async def conversation(api: Api, key: str) -> AsyncIterator[str]:
    """A conversation that is still recorded and streamed after everything."""
    conversation = await api.start()
    await api.say(conversation, "Before")
    yield conversation
    async with (
        sse("/api/realtime/stream", key=key, conversationId=conversation) as stream,
        Socket(f"/api/stream/conversations/{conversation}", key=key) as socket,
    ):
        assert [(await each.frame())["type"] for each in (stream, socket)] == ["connected"] * 2
        await api.say(conversation, "After")
        for each in (stream, socket):
            assert (await each.frame())["data"]["message"]["content"] == "After"
    assert {message["content"] for message in await api.messages(conversation)} >= {
        "Before",
        "After",
    }


# What is generated


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


TEXTS = [
    *["", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\ufeff", "\u202e", "é́", "🗼", "0", "-1"],
    *["null", "../../etc/passwd", "' OR 1=1 --", "%s%n", "{0}", "<script>", "x" * 300],
    *["x" * 20_000, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999999-23:59"],
    *["2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T00:00:60Z", "1_0001_00000000"],
]
NUMBERS = [0, -0.0, -1, 1, 1.5, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**39]
NUMBERS += [10**400, 1e15, 1e16, 1e300, 5e-324, float("nan"), float("inf"), float("-inf")]
VALUES: SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, False, *TEXTS, *NUMBERS]),
    st.sampled_from([[], {}, [None], [[]], {"": {}}, {"\0": "\0"}, {"\ud800": 1}, nested(50)]),
    st.text(max_size=20),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)


def events_of_every_kind() -> list[Json]:
    known = "c" + "0" * 24
    in_it = {"conversation_id": "c-1"}
    tokens = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "cost": 0.1}
    metrics = {"duration": 5, "inputTokens": 1, "model": "m", "cost": 0.5}
    totals = {"totalMessages": 1, "totalTokens": 2, "totalCost": 0.5, "totalDuration": 4}
    summary = {"text": "A tower", "agent_type": "claude", "duration_ms": 4, **tokens}
    ending = {"status": "completed", "total_cost": 0.1, "duration_seconds": 1.5, "summary": summary}
    data: list[tuple[str, Json]] = [
        ("conversation.started", opened(maxTurns=5, metadata={"a": {"b": 1}}, name="Tower")),
        ("message.created", told(known, "Stone", metrics=metrics, sequenceNumber=1)),
        ("conversation.completed", {"conversationId": known, **totals, "completionReason": "done"}),
        ("conversation.interrupted", {"conversationId": known, **totals, "reason": "stopped"}),
        ("error.occurred", {"conversationId": "", "error": "It broke", "details": {"a": 1}}),
        ("conversation.started", started("c-1", command={"args": ["-x"]}, max_turns=5)),
        ("message.created", said("c-1", "Stone", sequence_number=1, tokens_used=5, **tokens)),
        ("conversation.completed", {**in_it, **ending}),
        ("conversation.error", {**in_it, "error_message": "It broke", "error_type": "timeout"}),
        ("log.entry", {**in_it, "level": "system", "content": "x", "metrics": {}, "metadata": {}}),
        (
            "bridge.connected",
            {"system_info": {"os": "linux", "arch": "arm64"}, "connected_at": NOW},
        ),
        ("bridge.test", {"message": "hello"}),
        ("new.kind", {**in_it, "anything": [1, 2]}),
    ]
    return [{"type": kind, "timestamp": NOW, "data": each} for kind, each in data]


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, name))


@st.composite
def spoiled_events(draw: DrawFn) -> Any:
    """A good event with one to three places that are anything, missing or unknown."""
    event = copy.deepcopy(draw(st.sampled_from(events_of_every_kind())))
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(list(places(event))[1:]))
        holder: Any = event
        for name in path:
            holder = holder[name]
        match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
            case "replace":
                holder[last] = copy.deepcopy(draw(VALUES))
            case "remove":
                del holder[last]
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=5))] = copy.deepcopy(draw(VALUES))
    return event


def raw_bodies() -> list[bytes]:
    good = json.dumps(events_of_every_kind()[5]).encode()
    cuts = [good[:length] for length in range(0, len(good), 40)]
    deep = [
        opening * depth + closing * depth
        for depth in (99, 100, 101, 5_000, 200_000)
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"))
    ]
    strange = [
        *[
            b"\0",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"\xef\xbb\xbf{}",
            b"\xed\xa0\x80",
            b'"\xed\xa0\x80"',
        ],
        *[
            b"null",
            b"true",
            b'""',
            b"0",
            b"-",
            b"1e999",
            b"-1e999",
            b"9" * 5_000,
            b"0." + b"1" * 5_000,
        ],
        *[
            b"NaN",
            b"Infinity",
            b'{"a":NaN}',
            b"[1,]",
            b"{'a':1}",
            b"{}{}",
            b"{}\n{}",
            b"//",
            b'"\\u"',
        ],
        *[b'{"type":"x","type":"y"}', b"\n" * 1_000, b"[" + b"{}," * 2_000 + b"{}]", b"%", b"a=b"],
        *[b'"\\ud800"', b'{"\\u0000":"\\u0000"}', good.decode().encode("utf-16"), good + b"\0"],
        *[b'"' + b"x" * 1_153_434 + b'"', b" " * 1_153_434],
    ]
    return [*cuts, *deep, *strange]


# The doors


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


WRITTEN = [
    *[
        "%00",
        "a%00b",
        "%",
        "%zz",
        "%ff",
        "%c3%28",
        "%ed%a0%80",
        "%0d%0a",
        "%2e%2e%2f",
        "+",
        "&&=",
        "=",
    ],
    *[
        "-1",
        "0",
        "1e9",
        "٣",
        "²",
        "1.0",
        "9" * 18,
        "9" * 19,
        "9" * 400,
        "0x10",
        "NaN",
        "%20",
        "true",
    ],
    *["0_0000_00000000", "1_9999_00000000", "1_999999999999999999_00000000", "1_1_1", "_", "0_0"],
    *["c" * 201, "x" * 4_000, "%F0%9F%97%BC", "[]", "{}", "';--", "\\", "%22", "ACTIVE", "İ", "ß"],
]
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
    spoiled = st.tuples(st.sampled_from(list(places(good))[1:]), VALUES)
    bodies: list[Any] = [json.dumps(_spoiled(good, *each)) for each in generated(spoiled, 90)]
    method = "PATCH" if target == "/api/chats/{}" else "POST"
    for body in [*bodies, *raw_bodies()[:: 1 if IS_LONG else 5]]:
        raw = body.encode() if isinstance(body, str) else body
        path = target.format(chat)
        heard = await knock(path, method=method, headers=JSON, key=key, body=raw, pieces=1)
        assert_civil(heard, (target, raw[:300]))


def _spoiled(good: Json, place: tuple[str | int, ...], value: Any) -> Json:
    body = copy.deepcopy(good)
    *path, last = place
    holder: Any = body
    for name in path:
        holder = holder[name]
    holder[last] = value
    return body


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


# Sockets


STREAMS = ["project:tower", "project:", ":", "", "conversation:\0", "message:1", "x" * 300, "a:b:c"]
STREAMS += ["run:", "run:\0", "message:\ud800", "run:" + "0" * 24]


def commands() -> SearchStrategy[Any]:
    names = st.sampled_from(STREAMS) | VALUES
    return VALUES | st.fixed_dictionaries(
        {"action": st.sampled_from(["subscribe", "unsubscribe", "ping", "fly"]) | VALUES},
        optional={
            "stream": names,
            "since": st.sampled_from(WRITTEN) | VALUES,
            "types": st.lists(VALUES, max_size=3) | VALUES,
            "agentIds": st.lists(st.text(), max_size=3) | VALUES,
        },
    )


async def test_commands_that_mean_nothing_are_answered_and_close_no_socket(
    key: str, conversation: str
) -> None:
    texts = [json.dumps(command) for command in generated(commands(), 500)]
    texts += [body.decode("utf-8", "replace") for body in raw_bodies() if 0 < len(body) < 300_000]
    async with Socket("/api/stream", key=key) as socket:
        await socket.frame()
        for text in texts:
            await socket.send_to(text_data=text)
            await answered(socket, text)
        for body in raw_bodies()[:60]:
            await socket.send_to(bytes_data=body or b"\0")
            assert (await socket.frame())["code"] == "bad_command"


async def answered(socket: Socket, text: str) -> None:
    """Whatever was said is answered before a ping that comes after it."""
    await socket.send_json_to({"action": "ping"})
    heard: list[Json] = []
    while not heard or heard[-1]["type"] != "pong":
        heard.append(await socket.frame())
    if len(heard) == 1:  # a subscription is answered when it has been looked up
        heard.append(await socket.frame())
    assert {frame["type"] for frame in heard} <= KNOWN, (text, heard)
    for frame in heard:
        if frame["type"] == "error":
            assert frame["error"]
            assert frame["code"] != "failed", (text, frame)


KNOWN = {"pong", "error", "subscribed", "unsubscribed", "stream.truncated"}
KNOWN |= {"conversation.started", "message.created"}


async def test_what_is_said_to_a_socket_that_only_follows_is_overheard(
    api: Api, key: str, conversation: str
) -> None:
    async with Socket(f"/api/stream/conversations/{conversation}", key=key) as socket:
        await socket.frame()
        for text in [json.dumps(command) for command in generated(commands(), 50)]:
            await socket.send_to(text_data=text)
        await socket.send_to(bytes_data=b"\xff" * 1_000)
        await api.say(conversation, "Still here")
        assert (await socket.frame())["data"]["message"]["content"] == "Still here"


async def test_sockets_to_nothing_are_closed_with_a_code_that_says_so(
    key: str, conversation: str
) -> None:
    for value in WRITTEN:
        name = quote(value, safe="%")
        expected: dict[str, set[int | None]] = {
            f"/api/stream/projects/{name}": {4404},
            f"/api/stream/conversations/{name}": {4404},
            f"/api/{name}": {4404},
            f"/api/stream/conversations/{conversation}?since={name}": {4400, None},
            f"/api/stream?token={name}": {4401, None},
        }
        for path, codes in expected.items():
            async with Socket(path, key=None if "token" in path else key) as socket:
                first = await socket.receive_output()
                code = first["code"] if first["type"] == "websocket.close" else None
                assert code in codes, (path, first)


async def test_subprotocols_that_mean_nothing_open_no_socket(conversation: str) -> None:
    for offered in generated(st.lists(st.text(max_size=20), max_size=4), 40):
        words = [f"agentpipe.key.{word}" for word in offered]
        async with Socket("/api/stream", subprotocols=[*offered, *words]) as socket:
            assert await socket.closed_with() == 4401
