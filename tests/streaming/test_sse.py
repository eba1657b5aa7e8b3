"""Server-sent events as browsers read them."""

import pytest
from pytest_django.fixtures import Settings

from tests.clients import Api, Json, sse
from tests.streaming.lab import atell
from tests.streaming.test_sockets import topic_of

STREAM = "/api/realtime/stream"


async def test_a_stream_is_made_for_browsers_and_proxies(api: Api, key: str) -> None:
    async with sse(STREAM, key=key) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-cache, no-transform"
        assert stream.headers["x-accel-buffering"] == "no"
        chunk = await stream.chunks.get()
    assert chunk.startswith(b'retry: 3000\ndata: {"type":"connected",')
    assert b"id:" not in chunk


async def test_frames_are_unnamed_and_carry_their_id_beside_the_data(api: Api, key: str) -> None:
    async with sse(STREAM, key=key) as stream:
        opening = await stream.frame()
        conversation = await api.start()
        frame = await stream.frame()
    assert opening["lastEventId"] == "0"
    assert set(frame) == {"type", "timestamp", "data", "$id"}
    assert frame["$id"] == (await api.events(conversation))[0]["id"]


async def test_a_returning_browser_gets_what_it_missed_and_its_header_wins(
    api: Api, key: str
) -> None:
    conversation = await api.start()
    await api.say(conversation, "one", "two")
    first, second, _ = (frame["id"] for frame in await api.events(conversation))
    query: Json = {"conversationId": conversation, "since": first}
    async with sse(STREAM, key=key, **query) as stream:
        assert [frame["type"] for frame in await stream.frames(3)][1:] == ["message.created"] * 2
    async with sse(STREAM, key=key, headers={"last-event-id": second}, **query) as stream:
        _, missed = await stream.frames(2)
    assert missed["data"]["message"]["content"] == "two"


@pytest.mark.parametrize("cursor", ["yesterday", "1", "-1", "1_1_1", "9" * 40, "1_0001_GGGGGGGG"])
async def test_a_malformed_cursor_is_refused(api: Api, cursor: str) -> None:
    answer = await api.get(STREAM, params={"since": cursor})
    assert answer.status_code == 400
    assert answer.json() == {"error": "Malformed event id"}


async def test_a_cursor_beyond_the_end_is_truncated_and_goes_on_from_the_oldest(
    api: Api, key: str
) -> None:
    conversation = await api.start()
    async with sse(STREAM, key=key, since="1_9999_00000000") as stream:
        _, notice, frame = await stream.frames(3)
    oldest = (await api.events(conversation))[0]["id"].split("_")[1]
    assert notice["type"] == "stream.truncated"
    assert notice["oldestId"].split("_")[1] == oldest
    assert notice["$id"] is None
    assert frame["type"] == "conversation.started"


async def test_a_stream_beats_so_that_proxies_keep_it_open(
    api: Api, key: str, settings: Settings
) -> None:
    settings.STREAM_HEARTBEAT_S = 0.01
    async with sse(STREAM, key=key) as stream:
        await stream.frame()
        assert await stream.chunks.get() == b": ping\n\n"


async def test_a_finished_stream_stays_finished(api: Api, key: str) -> None:
    conversation = await api.start()
    topic = await topic_of(conversation)
    await atell(topic, numbers=range(1), kind="log.entry", is_final=True)
    last_id = (await api.events(conversation))[-1]["id"]
    query: Json = {"conversationId": conversation, "since": "0"}
    async with sse(STREAM, key=key, **query) as stream:
        assert [frame["type"] for frame in await stream.frames(3)][1:] == [
            "conversation.started",
            "log.entry",
        ]
        with pytest.raises(EOFError):
            await stream.frame()
    back = await api.get(STREAM, params=query, headers={"Last-Event-ID": last_id})
    assert back.status_code == 204
    assert back.content == b""


async def test_other_families_stay_out_of_the_ingest_stream(api: Api, key: str) -> None:
    conversation = await api.start()
    topic = await topic_of(conversation)
    async with sse(STREAM, key=key, conversationId=conversation) as stream:
        await stream.frame()
        await atell(topic, numbers=range(1), kind="agent.run.created")
        await api.say(conversation, "hello")
        assert (await stream.frame())["type"] == "message.created"


async def test_a_stream_is_not_asked_for_its_head(api: Api) -> None:
    assert (await api.head(STREAM)).status_code == 405
