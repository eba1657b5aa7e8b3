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
