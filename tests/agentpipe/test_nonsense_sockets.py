"""Nonsense at every socket: it is answered, overheard or closed with a code that says why.

What is said is generated, and the same in every run: some of it in `make test`, all of it in
`make faults` (AGENTPIPE_FAULTS=long).
"""

import json
from urllib.parse import quote

from hypothesis import strategies as st

from tests.agentpipe.nonsense import WRITTEN, commands, generated, raw_bodies
from tests.clients import Api, Json, Socket

KNOWN = {"pong", "error", "subscribed", "unsubscribed", "stream.truncated"}
KNOWN |= {"conversation.started", "message.created"}


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
