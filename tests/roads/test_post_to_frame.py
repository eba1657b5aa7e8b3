"""POST in, frame out: the whole road, for every kind of listener."""

from tests.clients import Api, Socket, sse


async def test_an_event_reaches_every_kind_of_listener(api: Api, key: str) -> None:
    conversation = await api.start()
    async with (
        sse("/api/realtime/stream", key=key) as project_stream,
        sse("/api/realtime/stream", key=key, conversationId=conversation) as conversation_stream,
        Socket("/api/stream/projects/tower", key=key) as project_socket,
        Socket(f"/api/stream/conversations/{conversation}", key=key) as conversation_socket,
        Socket("/api/stream", key=key) as many,
    ):
        await many.send_json_to({"action": "subscribe", "stream": f"conversation:{conversation}"})
        assert (await many.frame())["type"] == "connected"
        assert (await many.frame())["type"] == "subscribed"
        for stream in (project_stream, conversation_stream, project_socket, conversation_socket):
            assert (await stream.frame())["type"] == "connected"

        await api.say(conversation, "Stone or steel?")

        frames = [
            await stream.frame()
            for stream in (
                project_stream,
                conversation_stream,
                project_socket,
                conversation_socket,
                many,
            )
        ]
    assert {frame["type"] for frame in frames} == {"message.created"}
    assert {frame["data"]["message"]["content"] for frame in frames} == {"Stone or steel?"}
    assert [frame["seq"] for frame in frames[2:]] == [2, 2, 2]
    assert frames[4]["stream"] == f"conversation:{conversation}"


async def test_an_id_with_a_slash_is_read_like_any_other(api: Api, key: str) -> None:
    conversation = await api.start("team/2026/run 7")
    await api.say(conversation, "hello")

    assert (await api.conversation(conversation))["id"] == conversation
    assert [message["content"] for message in await api.messages(conversation)] == ["hello"]
    assert len(await api.events(conversation)) == 2
    address = "/api/stream/conversations/team/2026/run%207?since=0"
    async with Socket(address, key=key) as socket:
        assert [frame["type"] for frame in await socket.frames(2)] == [
            "connected",
            "conversation.started",
        ]
