"""Sockets: one topic per path, many topics on one, and how each says why it ends."""

import asyncio

import pytest
from channels.db import database_sync_to_async
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from conversations.models import Conversation
from streaming import hub
from streaming.consumers import FRAMES, LARGEST_COMMAND, MOST_STREAMS
from tests.clients import Api, Socket, eventually
from tests.streaming.lab import atell


async def topic_of(conversation: str) -> str:
    find = database_sync_to_async(Conversation.objects.get, thread_sensitive=False)
    return str((await find(public_id=conversation)).topic)


async def test_a_socket_opens_with_where_it_stands(api: Api, key: str) -> None:
    conversation = await api.start()
    last_id = (await api.events(conversation))[-1]["id"]
    async with Socket(f"/api/stream/conversations/{conversation}", key=key) as socket:
        opening = await socket.frame()
    assert opening["type"] == "connected"
    assert opening["lastEventId"] == last_id
    assert "seq" not in opening


async def test_a_returning_socket_gets_what_it_missed(api: Api, key: str) -> None:
    conversation = await api.start()
    await api.say(conversation, "one", "two", "three")
    second = (await api.events(conversation))[1]["id"]
    address = f"/api/stream/conversations/{conversation}"
    async with Socket(f"{address}?since={second}", key=key) as socket:
        opening, *missed = await socket.frames(3)
    assert opening["lastEventId"].split("_")[1] == "0002"
    assert [frame["seq"] for frame in missed] == [3, 4]
    async with Socket(address, key=key, headers={"last-event-id": second}) as socket:
        assert [frame.get("seq") for frame in await socket.frames(3)] == [None, 3, 4]


async def test_since_zero_begins_at_the_beginning(api: Api, key: str) -> None:
    conversation = await api.start()
    await api.say(conversation, "one")
    async with Socket(f"/api/stream/conversations/{conversation}?since=0", key=key) as socket:
        frames = await socket.frames(3)
    assert [frame["type"] for frame in frames] == [
        "connected",
        "conversation.started",
        "message.created",
    ]
    assert list(frames[2]) == ["id", "seq", "type", "timestamp", "data"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/stream/projects/tower?since=yesterday", 4400),
        ("/api/stream/projects/tower?since=7", 4400),
        ("/api/stream/projects/nowhere", 4404),
        ("/api/stream/conversations/nothing", 4404),
        ("/api/stream/nonsense", 4404),
        ("/nonsense", 4404),
    ],
)
async def test_a_socket_says_why_it_closes_after_accepting(
    api: Api, key: str, path: str, code: int
) -> None:
    async with Socket(path, key=key) as socket:
        assert await socket.closed_with() == code


@pytest.mark.parametrize("content", ["short", "x" * 40_000, "Ünïcödé \U0001f5fc"])
async def test_a_server_that_writes_whole_frames_sends_what_others_do(
    api: Api, key: str, content: str
) -> None:
    conversation = await api.start()
    written = b""

    def write(frames: bytes) -> bool:
        nonlocal written
        written += frames
        return True

    address = f"/api/stream/conversations/{conversation}"
    frank, other = Socket(address, key=key), Socket(address, key=key)
    frank.scope["extensions"] = {FRAMES: write}
    async with frank, other:
        await frank.frame()
        await other.frame()
        await api.say(conversation, content)
        text = await other.receive_from()
        await eventually(lambda: bool(written))

    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN)
    client.receive_data(written)
    (frame,) = client.events_received()
    assert isinstance(frame, Frame)
    assert bytes(frame.data).decode() == text


async def test_a_topic_that_ends_closes_its_socket(api: Api, key: str) -> None:
    conversation = await api.start()
    await atell(await topic_of(conversation), numbers=range(1), is_final=True)
    async with Socket(f"/api/stream/conversations/{conversation}?since=0", key=key) as socket:
        await socket.frames(3)
        assert await socket.closed_with() == 1000


async def test_a_closing_server_tells_sockets_to_come_back(api: Api, key: str) -> None:
    async with (
        Socket("/api/stream/projects/tower", key=key) as one,
        Socket("/api/stream", key=key) as many,
    ):
        await many.send_json_to({"action": "subscribe", "stream": "project:tower"})
        await one.frame()
        await many.frames(2)
        closing = asyncio.create_task(hub.close())
        assert await one.closed_with() == 1013
        assert await many.closed_with() == 1013
        await closing


async def test_one_socket_carries_many_streams(api: Api, key: str) -> None:
    first, second = await api.start(), await api.start()
    async with Socket("/api/stream", key=key) as socket:
        assert await socket.frame() | {"timestamp": ""} == {
            "type": "connected",
            "timestamp": "",
            "lastEventId": None,
        }
        for conversation in (first, second):
            stream = f"conversation:{conversation}"
            await socket.send_json_to({"action": "subscribe", "stream": stream, "since": "0"})
            assert await socket.frame() == {
                "type": "subscribed",
                "stream": stream,
                "lastEventId": "0",
            }
            started = await socket.frame()
            assert (started["stream"], started["type"]) == (stream, "conversation.started")
        await api.say(second, "hello")
        assert (await socket.frame())["stream"] == f"conversation:{second}"
        await socket.send_json_to({"action": "unsubscribe", "stream": f"conversation:{second}"})
        assert await socket.frame() == {
            "type": "unsubscribed",
            "stream": f"conversation:{second}",
        }
        await api.say(second, "nobody hears this")
        await api.say(first, "hello")
        assert (await socket.frame())["stream"] == f"conversation:{first}"
        await socket.send_json_to({"action": "ping"})
        assert await socket.frame() == {"type": "pong"}


async def test_a_subscription_can_want_some_types_and_some_agents_only(api: Api, key: str) -> None:
    conversation = await api.start()
    async with Socket("/api/stream", key=key) as socket:
        await socket.frame()
        await socket.send_json_to(
            {
                "action": "subscribe",
                "stream": "project:tower",
                "types": ["message.*", "log.entry"],
                "agentIds": ["a-2"],
            }
        )
        await socket.frame()
        await api.say(conversation, "not this", agent_id="a-1")
        await api.say(conversation, "this", agent_id="a-2")
        frame = await socket.frame()
    assert frame["data"]["message"]["content"] == "this"
    assert frame["seq"] == 3


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("not json", "bad_command"),
        ("[]", "bad_command"),
        ('"subscribe"', "bad_command"),
        ("{}", "bad_command"),
        ('{"action": "dance"}', "bad_command"),
        ('{"action": "subscribe"}', "bad_command"),
        ('{"action": "subscribe", "stream": 7}', "bad_command"),
        ('{"action": "subscribe", "stream": "project:tower", "types": "all"}', "bad_command"),
        ('{"action": "subscribe", "stream": "\\ud800"}', "bad_command"),
        ('{"action": "subscribe", "stream": "tower"}', "no_such_stream"),
        ('{"action": "subscribe", "stream": "secret:1"}', "no_such_stream"),
        ('{"action": "subscribe", "stream": "conversation:\\u0000"}', "no_such_stream"),
        ('{"action": "subscribe", "stream": "project:nowhere"}', "no_such_stream"),
        ('{"action": "subscribe", "stream": "project:tower", "since": "x"}', "malformed_cursor"),
        ('{"action": "unsubscribe", "stream": "project:tower"}', "not_subscribed"),
        ("[" * LARGEST_COMMAND, "bad_command"),
        ("x" * (LARGEST_COMMAND + 1), "bad_command"),
    ],
)
async def test_a_bad_command_is_answered_and_never_closes_the_socket(
    api: Api, key: str, command: str, code: str
) -> None:
    async with Socket("/api/stream", key=key) as socket:
        await socket.frame()
        await socket.send_to(text_data=command)
        answer = await socket.frame()
        assert (answer["type"], answer["code"]) == ("error", code)
        assert answer["error"]
        await socket.send_to(bytes_data=b"\x00\xff")
        assert (await socket.frame())["code"] == "bad_command"
        await socket.send_json_to({"action": "subscribe", "stream": "project:tower"})
        assert (await socket.frame())["type"] == "subscribed"


async def test_a_stream_is_subscribed_to_once_and_there_is_an_end_to_them(
    api: Api, key: str
) -> None:
    conversations = [await api.start() for _ in range(MOST_STREAMS + 1)]
    async with Socket("/api/stream", key=key) as socket:
        await socket.frame()
        for conversation in conversations:
            stream = f"conversation:{conversation}"
            await socket.send_json_to({"action": "subscribe", "stream": stream})
        answers = await socket.frames(MOST_STREAMS + 1)
        refused = [answer for answer in answers if answer["type"] == "error"]
        assert [answer["code"] for answer in refused] == ["too_many_streams"]
        stream = f"conversation:{conversations[0]}"
        await socket.send_json_to({"action": "subscribe", "stream": stream})
        assert (await socket.frame())["code"] == "already_subscribed"


async def test_a_stream_that_ends_leaves_the_socket_of_many_open(api: Api, key: str) -> None:
    conversation = await api.start()
    stream = f"conversation:{conversation}"
    await atell(await topic_of(conversation), numbers=range(1), is_final=True)
    async with Socket("/api/stream", key=key) as socket:
        await socket.frame()
        await socket.send_json_to({"action": "subscribe", "stream": stream, "since": "0"})
        frames = await socket.frames(4)
        assert frames[-1] == {"type": "unsubscribed", "stream": stream}
        await socket.send_json_to({"action": "ping"})
        assert (await socket.frame())["type"] == "pong"
