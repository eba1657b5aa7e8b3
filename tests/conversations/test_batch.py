"""Many events in one request, in order, each with an answer of its own."""

import json
from collections.abc import Sequence

import httpx

from tests.clients import NOW, Api, Json, Socket, opened, said, started, told

UNKNOWN = "c" + "0" * 24


def event(kind: str, data: object, **envelope: object) -> Json:
    return {"type": kind, "data": data, **envelope}


async def send(api: Api, events: Sequence[object], **headers: str) -> httpx.Response:
    return await api.post("/api/ingest/batch", json=events, headers=headers)


async def lines(api: Api, body: str, media_type: str = "application/x-ndjson") -> httpx.Response:
    headers = {"Content-Type": media_type}
    return await api.post("/api/ingest/batch", content=body, headers=headers)


async def test_both_dialects_are_answered_as_they_would_be_alone(api: Api) -> None:
    answer = await send(
        api,
        [
            event("conversation.started", started("s-1")),
            event("conversation.started", opened()),
            event("message.created", said("s-1", "Steel", message_id="m-1")),
            event("log.entry", {"conversation_id": "s-1", "content": "Log"}),
        ],
    )

    results = answer.json()["results"]
    assert answer.status_code == 200
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (4, 0)
    assert results[0] == {"index": 0, "status": 201, "conversation_id": "s-1"}
    assert results[1] == {
        "index": 1,
        "status": 201,
        "conversationId": results[1]["conversationId"],
    }
    assert results[2] == {"index": 2, "status": 201, "message_id": "m-1"}
    assert results[3] == {"index": 3, "status": 200, "success": True}


async def test_the_failure_of_an_event_does_not_stop_its_neighbours(api: Api) -> None:
    events = [
        event("conversation.started", started("s-1")),
        event("tower.built", {}),
        "text",
        event("message.created", told(UNKNOWN, "Steel")),
        event("conversation.started", opened(mode="loud")),
        event("message.created", said("s-1", "Steel")),
    ]
    answer = await send(api, events)

    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201, 400, 400, 404, 400, 201]
    assert [result["index"] for result in results] == [0, 1, 2, 3, 4, 5]
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, 4)
    assert results[1]["error"] == "Unknown event type"
    assert results[3]["conversationId"] == UNKNOWN
    assert results[4]["field"] == "data.mode"
    assert len(await api.messages("s-1")) == 1


async def test_events_are_applied_in_order(api: Api, key: str) -> None:
    end = {"conversation_id": "s-1", "status": "completed"}
    events: list[object] = [
        event("conversation.started", started("s-1"), timestamp=NOW),
        *(event("message.created", said("s-1", f"line {number}")) for number in range(5)),
        event("conversation.completed", end, timestamp=NOW),
    ]
    async with Socket("/api/stream/projects/tower", key=key) as socket:
        await socket.frame()
        assert (await send(api, events)).json()["accepted"] == 7

        frames = await socket.frames(7)
    messages = await api.messages("s-1")
    assert [message["sequenceNumber"] for message in messages] == [1, 2, 3, 4, 5]
    assert [message["content"] for message in messages] == [f"line {n}" for n in range(5)]
    assert [frame["seq"] for frame in frames] == [1, 2, 3, 4, 5, 6, 7]
    first, last = frames[0]["data"]["conversation"], frames[-1]["data"]
    assert (first["status"], first["totalMessages"]) == ("ACTIVE", 0)
    assert (last["status"], last["totalMessages"]) == ("COMPLETED", 5)


async def test_what_comes_twice_in_a_batch_is_stored_once(api: Api) -> None:
    repeated: list[object] = [
        event("conversation.started", started("s-1")),
        event("message.created", said("s-1", "Steel", message_id="m-1")),
        event("message.created", said("s-1", "Log", message_id=None), timestamp=NOW),
    ]
    answer = await send(api, repeated * 2)

    results = [{**result, "index": result["index"] % 3} for result in answer.json()["results"]]
    assert results[:3] == results[3:]
    assert (await api.conversation("s-1"))["totalMessages"] == 2


async def test_the_key_of_a_batch_covers_each_event_by_its_place(api: Api) -> None:
    events: list[object] = [
        event("conversation.started", opened()),
        event("conversation.started", opened(initialPrompt="A bridge")),
    ]
    first = await send(api, events, **{"Idempotency-Key": "k-1"})
    again = await send(api, events, **{"Idempotency-Key": "k-1"})
    other = await send(api, events[::-1], **{"Idempotency-Key": "k-1"})

    assert again.json() == first.json()
    assert [result["status"] for result in other.json()["results"]] == [422, 422]
    assert (await api.get("/api/conversations")).json()["total"] == 2


async def test_a_bad_line_is_a_rejected_result(api: Api) -> None:
    body = "\n".join(
        [
            json.dumps(event("conversation.started", started("s-1"))),
            '{"type": "message.cre',
            "",
            json.dumps(event("message.created", said("s-1", "Steel"))) + "\r",
            "not json",
        ]
    )
    answer = await lines(api, body)

    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [result["status"] for result in results] == [201, 400, 201, 400]
    assert (results[1]["index"], results[1]["error"]) == (1, "Invalid JSON")
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, 2)


async def test_an_event_that_is_nested_too_deeply_is_a_rejected_result(api: Api) -> None:
    conversation = await api.start()
    depths = {"as deep as may be": 98, "deeper": 99}
    deep = [json.loads("[" * depth + "]" * depth) for depth in depths.values()]
    events = [event("message.created", said(conversation, "x", deep=value)) for value in deep]
    answer = await send(api, [*events, event("message.created", said(conversation, "Steel"))])

    assert [result["status"] for result in answer.json()["results"]] == [201, 400, 201]
    assert answer.json()["results"][1]["error"] == "Invalid JSON"


async def test_the_media_type_may_be_written_in_any_way(api: Api) -> None:
    body = json.dumps(event("bridge.test", {}))
    for media_type in ("Application/X-NDJSON", "application/x-ndjson; charset=utf-8"):
        assert (await lines(api, body, media_type)).json()["accepted"] == 1


async def test_a_body_that_is_neither_array_nor_lines_is_refused(api: Api) -> None:
    for body in ("{}", '"text"', "7", "null", "[", ""):
        answer = await lines(api, body, "application/json")

        assert answer.status_code == 400
        assert answer.json().keys() == {"error", "message"}
        assert answer.json()["error"] == "Invalid JSON"
    assert (await lines(api, "[]", "text/plain")).status_code == 415


async def test_a_batch_may_be_empty(api: Api) -> None:
    assert (await send(api, [])).json() == {"accepted": 0, "rejected": 0, "results": []}


async def test_a_batch_has_at_most_a_thousand_events(api: Api) -> None:
    greeting = event("bridge.test", {})
    good = await send(api, [greeting] * 1000)
    bad = await send(api, [greeting] * 1001)
    bad_lines = await lines(api, "x\n" * 1001)

    assert (good.status_code, good.json()["accepted"]) == (200, 1000)
    assert (bad.status_code, bad_lines.status_code) == (413, 413)
    assert bad.json().keys() == {"error"}


async def test_a_batch_has_at_most_sixteen_mebibytes(api: Api) -> None:
    body = json.dumps([event("bridge.test", {})])
    full = body.ljust(16 * 1024 * 1024)

    assert (await lines(api, full, "application/json")).status_code == 200
    assert (await lines(api, full + " ", "application/json")).status_code == 413
