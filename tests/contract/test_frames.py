"""What the ingest family sends to sockets and to server-sent events, one file per event."""

import json

import pytest

from tests.clients import Api, Json, Socket, opened, sse
from tests.contract import golden


@pytest.mark.parametrize("name", golden.files("frames"))
async def test_a_frame_is_what_was_agreed(api: Api, key: str, name: str) -> None:
    wanted = golden.read("frames", name)
    start = await api.ingest("conversation.started", opened())
    conversation = start.json()["conversationId"]
    for event in wanted.get("before", []):
        assert (await send(api, event, conversation)) < 300
    async with (
        Socket("/api/stream/projects/tower", key=key) as socket,
        sse("/api/realtime/stream", key=key) as stream,
    ):
        await socket.frame()
        await stream.frame()
        assert (await send(api, wanted["event"], conversation)) == wanted["status"]

        frame, data = await socket.frame(), await stream.frame()
    assert golden.normalised(frame) == wanted["frame"]
    # Frames of a stream without names carry the id outside of their data, and no number.
    assert data.pop("$id") == frame.pop("id")
    assert frame.pop("seq") > 1
    assert data == frame


async def send(api: Api, event: Json, conversation: str) -> int:
    body = json.dumps(event).replace("$conversation", conversation)
    headers = {"Content-Type": "application/json"}
    return (await api.post("/api/ingest", content=body, headers=headers)).status_code
