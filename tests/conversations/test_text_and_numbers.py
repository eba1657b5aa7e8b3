"""What cannot be stored as it came: characters, numbers, times."""

import json

import httpx
import pytest

from tests.clients import NOW, Api, Json, opened, said, started, told


async def raw(api: Api, body: str) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return await api.post("/api/ingest", content=body, headers=headers)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (r"a\u0000b", "a\ufffdb"),
        (r"a\ud800b", "a\ufffdb"),
        (r"a\uDC00\uD83Db", "a\ufffd\ufffdb"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"a\\u0000b", r"a\u0000b"),
    ],
)
async def test_what_no_text_can_hold_is_replaced(api: Api, sent: str, kept: str) -> None:
    conversation = await api.start(sent="", initial_prompt="x")
    data = json.dumps({"conversation_id": conversation, "content": "SENT", "SENT": {"SENT": 1}})
    event = f'{{"type":"message.created","data":{data}}}'.replace("SENT", sent)

    assert (await raw(api, event)).status_code == 201
    [message] = await api.messages(conversation)
    assert message["content"] == kept
    assert message["metadata"] == {kept: {kept: 1}}


async def test_both_dialects_and_ids_are_cleaned_alike(api: Api) -> None:
    start = json.dumps({"type": "conversation.started", "data": opened(name="a\0b\ud800")})
    answer = await raw(api, start)
    found = await api.conversation(answer.json()["conversationId"])
    snake = await raw(api, json.dumps({"type": "message.created", "data": said("s\0", "x")}))

    assert found["name"] == "a\ufffdb\ufffd"
    assert snake.status_code == 201
    assert (await api.conversation("s\ufffd"))["totalMessages"] == 1


async def test_a_body_must_be_json_in_utf_8(api: Api) -> None:
    bodies = [
        b"",
        b"{",
        b"nonsense",
        b'{"type": "\xff"}',
        b'{"type": "\x00"}',
        b'{"type": NaN}',
        b'{"type": Infinity}',
        b"[" * 100_000,
        b'{"data":' + b"[" * 200 + b"]" * 200 + b"}",
    ]
    for body in bodies:
        headers = {"Content-Type": "application/json"}
        answer = await api.post("/api/ingest", content=body, headers=headers)

        assert (answer.status_code, answer.json()["error"]) == (400, "Invalid JSON")
        assert answer.json()["message"]


TOO_LARGE = [2**63, -(2**63) - 1, 10**30, 10**5000]


@pytest.mark.parametrize("number", TOO_LARGE, ids=["2^63", "-2^63-1", "10^30", "10^5000"])
async def test_an_integer_beyond_64_bits_is_absent_or_refused(api: Api, number: int) -> None:
    digits = f"{'-' if number < 0 else ''}{'1' + '0' * 5000 if number == 10**5000 else abs(number)}"
    conversation = await api.start()
    snake = json.dumps({"type": "message.created", "data": said(conversation, "Steel", x=1)})
    fields = f'"tokens_used":{digits},"sequence_number":{digits},"x":{digits}'
    camel = json.dumps({"type": "message.created", "data": told("c" + "0" * 24, "Steel")})
    camel_start = json.dumps({"type": "conversation.started", "data": opened(metadata={"x": 0})})

    kept = await raw(api, snake.replace('"x": 1', fields))
    refused = await raw(api, camel.replace('"role"', f'"sequenceNumber":{digits},"role"'))
    in_metadata = await raw(api, camel_start.replace('"x": 0', f'"x": {digits}'))

    [message] = await api.messages(conversation)
    assert (kept.status_code, message["sequenceNumber"], message["totalTokens"]) == (201, 1, 0)
    assert refused.status_code == 400
    assert refused.json()["field"] == "data.message.sequenceNumber"
    assert in_metadata.status_code == 201


async def test_the_largest_integers_are_kept(api: Api) -> None:
    conversation = await api.start()
    largest = 2**63 - 1
    for number in (1, 2):
        await api.say(conversation, "Steel", sequence_number=number, tokens_used=largest)

    assert (await api.conversation(conversation))["totalTokens"] == 2 * largest


async def test_numbers_that_are_whole_may_be_written_as_fractions(api: Api) -> None:
    conversation = await api.start(max_turns=7.0)
    answer = await api.ingest("conversation.started", opened(maxTurns=7.0))
    other = answer.json()["conversationId"]

    assert (await api.conversation(conversation))["maxTurns"] == 7
    assert (await api.conversation(other))["maxTurns"] == 7


async def test_numbers_beyond_all_bounds_do_not_stop_what_can_be_stored(api: Api) -> None:
    body = json.dumps({"type": "message.created", "data": said("s-1", "x", cost=1, deep={"x": 1})})

    assert (await raw(api, body.replace(": 1", ": 1e999"))).status_code == 201
    [message] = await api.messages("s-1")
    assert (message["cost"], message["metadata"]) == (0, {"deep": {"x": None}})


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
        ("2026-11-21T10:00:00.5Z", "2026-11-21T10:00:00.500000Z"),
        ("2026-11-21T10:00:00.123456789Z", "2026-11-21T10:00:00.123456Z"),
        ("2026-11-21T10:00:00.999999999+00:00", "2026-11-21T10:00:00.999999Z"),
        ("2026-11-21T15:30:00.000000001+05:30", "2026-11-21T10:00:00Z"),
        ("2026-11-20T22:00:00-12:00", "2026-11-21T10:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
async def test_times_carry_nanoseconds_and_offsets(api: Api, written: str, kept: str) -> None:
    snake = await api.start()
    await api.ingest("message.created", said(snake, "Steel"), timestamp=written)
    camel = (await api.ingest("conversation.started", opened(), timestamp=written)).json()
    answer = await api.ingest(
        "message.created", told(camel["conversationId"], "Steel", timestamp=written)
    )

    assert answer.status_code == 201
    for conversation in (snake, camel["conversationId"]):
        assert [m["timestamp"] for m in await api.messages(conversation)] == [kept]
    assert (await api.conversation(camel["conversationId"]))["startedAt"] == kept


@pytest.mark.parametrize("missing", [None, ""])
async def test_a_missing_time_is_the_time_of_arrival(api: Api, missing: object) -> None:
    before = await api.ingest("bridge.test", {})
    conversation = await api.start()
    await api.ingest("message.created", said(conversation, "Steel"), timestamp=missing)
    camel = await api.ingest("conversation.started", opened(), timestamp=missing)

    began = (await api.conversation(camel.json()["conversationId"]))["startedAt"]
    [message] = await api.messages(conversation)

    assert before.json()["received_at"] < message["timestamp"] < began


UNFIT_TIMES: list[object] = ["yesterday", "2026-13-01T00:00:00Z", 1700000000, True, {}]


async def test_a_time_that_is_none_is_arrival_in_snake_case(api: Api) -> None:
    now = (await api.ingest("bridge.test", {})).json()["received_at"]
    conversation = await api.start()
    for unfit in UNFIT_TIMES:
        await api.ingest("message.created", said(conversation, "Steel"), timestamp=unfit)

    times: list[str] = [message["timestamp"] for message in await api.messages(conversation)]
    assert len(times) == len(UNFIT_TIMES)
    assert min(times) > now


async def test_a_time_that_is_none_is_refused_in_camel_case(api: Api) -> None:
    start: Json = opened()
    for unfit in [*UNFIT_TIMES, NOW.removesuffix("Z"), NOW.replace("T", " "), "2026-11-21"]:
        answer = await api.ingest("conversation.started", start, timestamp=unfit)

        assert (answer.status_code, answer.json()["field"]) == (400, "timestamp")


async def test_null_is_absent_in_snake_case(api: Api) -> None:
    start = {**dict.fromkeys(started("s-1")), "conversation_id": "s-1", "max_turns": None}
    assert (await api.ingest("conversation.started", start)).status_code == 201
    message = {**dict.fromkeys(said("s-1", "")), "conversation_id": "s-1", "cost": None}
    assert (await api.ingest("message.created", message)).status_code == 201

    found = await api.conversation("s-1")
    assert (found["initialPrompt"], found["participants"], found["maxTurns"]) == ("", [], None)
