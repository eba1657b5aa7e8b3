"""Nonsense of every kind: values, events, bodies, addresses and commands that mean nothing."""

import copy
import json
import os
from collections.abc import Iterator
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.clients import NOW, Json, opened, said, started, told

T = TypeVar("T")

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"


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

# As they are found in addresses.
WRITTEN = [
    *["%00", "a%00b", "%", "%zz", "%ff", "%c3%28", "%ed%a0%80", "%0d%0a", "%2e%2e%2f"],
    *["+", "&&=", "=", "-1", "0", "1e9", "٣", "²", "1.0", "9" * 18, "9" * 19, "9" * 400, "0x10"],
    *["NaN", "%20", "true", "0_0000_00000000", "1_9999_00000000", "1_999999999999999999_00000000"],
    *["1_1_1", "_", "0_0"],
    *["c" * 201, "x" * 4_000, "%F0%9F%97%BC", "[]", "{}", "';--", "\\", "%22", "ACTIVE", "İ", "ß"],
]
STREAMS = ["project:tower", "project:", ":", "", "conversation:\0", "message:1", "x" * 300, "a:b:c"]
STREAMS += ["run:", "run:\0", "message:\ud800", "run:" + "0" * 24]


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


def spoiled(good: Json, place: tuple[str | int, ...], value: Any) -> Json:
    body = copy.deepcopy(good)
    *path, last = place
    holder: Any = body
    for name in path:
        holder = holder[name]
    holder[last] = value
    return body


def raw_bodies() -> list[bytes]:
    good = json.dumps(events_of_every_kind()[5]).encode()
    cuts = [good[:length] for length in range(0, len(good), 40)]
    deep = [
        opening * depth + closing * depth
        for depth in (99, 100, 101, 5_000, 200_000)
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"))
    ]
    strange = [
        *[b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xef\xbb\xbf{}", b"\xed\xa0\x80"],
        *[b'"\xed\xa0\x80"', b"null", b"true", b'""', b"0", b"-", b"1e999", b"-1e999"],
        *[b"9" * 5_000, b"0." + b"1" * 5_000, b"NaN", b"Infinity", b'{"a":NaN}', b"[1,]"],
        *[b"{'a':1}", b"{}{}", b"{}\n{}", b"//", b'"\\u"'],
        *[b'{"type":"x","type":"y"}', b"\n" * 1_000, b"[" + b"{}," * 2_000 + b"{}]", b"%", b"a=b"],
        *[b'"\\ud800"', b'{"\\u0000":"\\u0000"}', good.decode().encode("utf-16"), good + b"\0"],
        *[b'"' + b"x" * 1_153_434 + b'"', b" " * 1_153_434],
    ]
    return [*cuts, *deep, *strange]


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
