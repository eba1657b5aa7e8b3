"""Sockets as they come over the network: handshakes, frames, pings and farewells."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from channels.db import database_sync_to_async
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from agentpipe import server
from agentpipe.api import authentication
from agentpipe.sockets import Socket
from conversations import access
from conversations.models import Project
from conversations.services import make_key
from streaming.asking import THREADS, in_database
from tests.clients import DEADLINE_S, Api, eventually
from tests.clients import Socket as SocketOfTests
from tests.services import free_port
from tests.streaming.test_asking import Held

KEY_OF_HANDSHAKE = "Sec-WebSocket-Key: " + "A" * 22 + "=="
VERSION = "Sec-WebSocket-Version: 13"
HANDSHAKE = ["Connection: Upgrade", "Upgrade: websocket", KEY_OF_HANDSHAKE, VERSION]


class Door:
    """The server of `up`, in this process."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.port = free_port()
        self.ready = asyncio.Event()
        self.server = server.Server(server.configuration(), self.ready.set)

    async def open(self) -> None:
        listening = socket.socket()
        listening.bind(("127.0.0.1", self.port))
        listening.listen()
        self.serving = asyncio.create_task(self.server.serve(sockets=[listening]))
        await self.ready.wait()

    async def close(self) -> None:
        self.server.should_exit = True
        await self.serving

    def connect(
        self, path: str = "/api/stream", *, subprotocols: Sequence[str] = (), **headers: str
    ) -> connect:
        return connect(
            f"ws://127.0.0.1:{self.port}{path}",
            additional_headers={"Authorization": f"Bearer {self.key}", **headers},
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            open_timeout=DEADLINE_S,
            close_timeout=DEADLINE_S,
            compression=None,
        )

    async def say(self, *lines: str) -> str:
        """The first line of what is answered to this."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("\r\n".join([*lines, "Host: localhost", "", ""]).encode())
        answer = await reader.readline()
        writer.close()
        return answer.decode().strip()

    @property
    def sockets(self) -> list[Socket]:
        found: set[object] = set(self.server.server_state.connections)
        return [one for one in found if isinstance(one, Socket)]

    async def is_empty(self) -> None:
        state = self.server.server_state
        await eventually(lambda: not state.connections and not state.tasks)


@pytest.fixture
async def door(api: Api, key: str) -> AsyncIterator[Door]:
    door = Door(key)
    await door.open()
    yield door
    await door.close()


async def pong(talking: ClientConnection) -> None:
    await talking.send('{"action": "ping"}')
    assert json.loads(await talking.recv()) == {"type": "pong"}


async def test_a_client_is_told_where_it_stands_and_what_comes(door: Door, api: Api) -> None:
    conversation = await api.start()
    await api.say(conversation, "one", "two")
    first, second, _ = [event["id"] for event in await api.events(conversation)]
    path = f"/api/stream/conversations/{conversation}"
    async with door.connect(path, **{"Last-Event-ID": first}) as missed_two:
        assert json.loads(await missed_two.recv())["lastEventId"].split("_")[1] == "0001"
        assert [json.loads(await missed_two.recv())["seq"] for _ in range(2)] == [2, 3]
    async with door.connect(f"{path}?since={second}") as missed_one:
        assert json.loads(await missed_one.recv())["lastEventId"].split("_")[1] == "0002"
        assert json.loads(await missed_one.recv())["seq"] == 3
        await api.say(conversation, "Ünïcödé " + "x" * 70_000)
        assert json.loads(await missed_one.recv())["seq"] == 4
    await door.is_empty()


async def test_an_answer_names_the_request_and_a_protocol_that_was_offered(door: Door) -> None:
    offered = ["other", "agentpipe"]
    async with door.connect(subprotocols=offered, **{"X-Request-ID": "abc"}) as talking:
        assert talking.response is not None
        assert talking.response.headers["X-Request-ID"] == "abc"
        assert talking.subprotocol == "agentpipe"


async def test_a_message_in_pieces_is_one(door: Door) -> None:
    async with door.connect() as talking:
        await talking.recv()
        await talking.send(['{"action"', ': "pi', 'ng"}'])
        assert json.loads(await talking.recv()) == {"type": "pong"}
        for _ in range(50):
            await pong(talking)


async def test_many_commands_in_one_packet_are_all_answered(door: Door) -> None:
    async with door.connect() as talking:
        await talking.recv()
        command = Frame(Opcode.TEXT, b'{"action": "ping"}').serialize(mask=True)
        talking.transport.write(command * 100)
        for _ in range(100):
            assert json.loads(await talking.recv()) == {"type": "pong"}


async def test_pings_are_answered(door: Door) -> None:
    async with door.connect() as talking:
        async with asyncio.timeout(DEADLINE_S):
            await (await talking.ping(b"are you there"))
        await talking.recv()
        await pong(talking)


async def test_who_answers_pings_is_pinged_again_and_who_does_not_is_closed(door: Door) -> None:
    async with door.connect() as talking:
        await talking.recv()
        (held,) = door.sockets
        for _ in range(2):
            held.look_after(held.due_at)
            assert held.ping is not None
            await eventually(lambda: held.ping is None)
        await pong(talking)
        held.look_after(held.due_at)
        # The answer is on its way, but it is looked for too late.
        held.look_after(held.due_at)
        with pytest.raises(ConnectionClosed) as closed:
            await talking.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011
    await door.is_empty()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True), 1007),
        (Frame(Opcode.TEXT, b"x" * (2 * 1024 * 1024 + 1)).serialize(mask=True), 1009),
        (Frame(Opcode.TEXT, b"not masked").serialize(mask=False), 1002),
        (Frame(Opcode.CONT, b"of what?").serialize(mask=True), 1002),
    ],
    # Masked otherwise in each process: tests side by side go by what they are called.
    ids=["no text", "too long", "not masked", "of nothing"],
)
async def test_what_is_no_frame_ends_a_socket_and_says_why(
    door: Door, frame: bytes, code: int
) -> None:
    async with door.connect() as talking:
        await talking.recv()
        talking.transport.write(frame)
        with pytest.raises(ConnectionClosed) as closed:
            await talking.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
    await door.is_empty()


async def test_who_neither_reads_nor_answers_is_cut_off(door: Door, key: str) -> None:
    client = socket.socket()
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", door.port))
    lines = ["GET /api/stream HTTP/1.1", *HANDSHAKE, f"Authorization: Bearer {key}"]
    await loop.sock_sendall(client, "\r\n".join([*lines, "Host: localhost", "", ""]).encode())
    await eventually(lambda: any(held.has_accepted for held in door.sockets))
    (held,) = door.sockets
    while held.write_frames(Frame(Opcode.BINARY, b"x" * 2**20).serialize(mask=False)):
        pass
    held.look_after(held.due_at)
    held.look_after(held.due_at)
    await door.is_empty()
    client.close()


async def test_both_say_farewell_whoever_begins(door: Door) -> None:
    async with door.connect() as leaving:
        await leaving.recv()
        await leaving.close(4321, "enough")
        assert leaving.close_code == 4321
    async with door.connect("/api/stream/nonsense") as sent_away:
        with pytest.raises(ConnectionClosed) as closed:
            await sent_away.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404
    await door.is_empty()


async def test_who_is_cut_off_leaves_nothing_behind(door: Door, api: Api) -> None:
    path = f"/api/stream/conversations/{await api.start()}"
    talking = await door.connect(path)
    await talking.recv()
    talking.transport.abort()
    await door.is_empty()


async def test_a_server_that_ends_tells_sockets_to_come_back(door: Door) -> None:
    async with door.connect("/api/stream/projects/tower") as following, door.connect() as other:
        await following.recv()
        await other.recv()
        closing = asyncio.create_task(door.close())
        for talking, code in ((following, 1013), (other, 1012)):
            with pytest.raises(ConnectionClosed) as closed:
                await talking.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code
        await closing


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ([VERSION], "HTTP/1.1 400 Bad Request"),
        ([KEY_OF_HANDSHAKE], "HTTP/1.1 400 Bad Request"),
        (["Sec-WebSocket-Key: short", VERSION], "HTTP/1.1 400 Bad Request"),
    ],
)
async def test_what_is_no_handshake_is_refused(door: Door, lines: list[str], answer: str) -> None:
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", *lines]
    assert await door.say("GET /api/stream HTTP/1.1", *upgrade) == answer
    await door.is_empty()


async def test_only_a_get_is_a_handshake(door: Door) -> None:
    answer = await door.say("POST /api/stream HTTP/1.1", *HANDSHAKE)
    assert answer == "HTTP/1.1 405 Method Not Allowed"
    await door.is_empty()


async def test_who_comes_back_with_many_by_the_same_key_is_looked_up_once_with_them(
    api: Api, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/stream/conversations/{await api.start()}"
    looked_up: list[str] = []
    waiting: list[object] = []
    found = access.caller_with_key

    def caller_with_key(secret: str) -> access.Caller | None:
        looked_up.append(secret)
        return found(secret)

    async def ask(read: Callable[..., object], *given: object) -> object:
        waiting.append(read)
        return await in_database(read, *given)

    monkeypatch.setattr(access, "caller_with_key", caller_with_key)
    monkeypatch.setattr(authentication, "in_database", ask)
    held = Held()
    await eventually(lambda: len(held.begun) == THREADS)
    many = [
        SocketOfTests(path, key=key, headers={"sec-websocket-key": str(number)})
        for number in range(50)
    ]
    opening = [asyncio.create_task(one.__aenter__()) for one in many]
    await eventually(lambda: len(waiting) == len(many))
    await held.let_go()
    await asyncio.gather(*opening)
    assert [(await one.frame())["type"] for one in many] == ["connected"] * len(many)
    assert looked_up == [key]
    await asyncio.gather(*(one.__aexit__() for one in many))


async def test_each_of_them_counts_for_the_rate(api: Api, project: Project) -> None:
    make = database_sync_to_async(make_key, thread_sensitive=False)
    _, key = await make(project, "few", rates={"streams": "4/60"})
    async with SocketOfTests("/api/stream/projects/tower", key=key) as first:
        assert (await first.frame())["type"] == "connected"
    many = [SocketOfTests("/api/stream/projects/tower", key=key) for _ in range(5)]
    await asyncio.gather(*(one.__aenter__() for one in many))
    said = [await one.receive_output() for one in many]
    assert [message.get("code") for message in said].count(4408) == 2
    await asyncio.gather(*(one.__aexit__() for one in many))
