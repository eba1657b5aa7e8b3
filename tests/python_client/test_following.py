"""Following: everything once and in order, over servers that come and go."""

import json
import signal
from contextlib import aclosing
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from agentpipe_client import AgentPipe, AsyncAgentPipe, StreamRefused
from agentpipe_client.following import TRUNCATED, Place
from tests.clients import Json
from tests.python_client.conftest import Run
from tests.servers import Server


def frame(seq: int, kind: str = "log.entry") -> str:
    return json.dumps({"id": f"17_{seq:04d}_0a", "seq": seq, "type": kind, "timestamp": ""})


def notice(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, "timestamp": "", **fields})


def closed(code: int) -> ConnectionClosedError:
    return ConnectionClosedError(Close(code, "Because"), None)


def test_a_follower_stands_where_the_stream_was_when_it_came() -> None:
    place = Place(None)
    assert place.query == {}
    assert place.take(notice("connected", lastEventId="17_0007_0a")) is None
    assert place.query == {"since": "17_0007_0a"}


def test_what_comes_again_is_dropped_and_the_place_moves_on() -> None:
    place = Place("0")
    taken = [place.take(frame(seq)) for seq in (1, 2, 2, 1, 3)]

    assert [event and event.seq for event in taken] == [1, 2, None, None, 3]
    assert place.query == {"since": "17_0003_0a"}


def test_a_truncated_stream_says_so_and_goes_on_from_its_oldest() -> None:
    place = Place("17_0900_0a")
    truncated = place.take(notice(TRUNCATED, oldestId="17_0005_0a"))
    first = place.take(frame(5))

    assert truncated is not None
    assert truncated.type == TRUNCATED
    assert first is not None
    assert first.seq == 5


@pytest.mark.parametrize("code", [4400, 4401, 4403, 4404, 4408])
def test_some_endings_are_final(code: int) -> None:
    with pytest.raises(StreamRefused, match=f"Because \\({code}\\)") as caught:
        Place(None).interrupted(closed(code))
    assert caught.value.code == code


@pytest.mark.parametrize("error", [*map(closed, (1000, 1011, 1013)), OSError("Gone"), EOFError()])
def test_from_other_endings_one_comes_back(error: Exception) -> None:
    assert Place(None).interrupted(error).pause_s <= 0.5


@pytest.mark.processes
def test_a_stream_that_is_not_there_is_refused(client: AgentPipe, server: Server) -> None:
    with pytest.raises(StreamRefused) as missing:
        next(client.follow_project("nowhere"))
    with pytest.raises(StreamRefused) as malformed:
        next(client.follow_project("default", since="yesterday"))
    with AgentPipe(server.url, "wrong") as stranger, pytest.raises(StreamRefused) as unknown:
        next(stranger.follow_project("default"))

    codes = [caught.value.code for caught in (missing, malformed, unknown)]
    assert codes == [4404, 4400, 4401]


@pytest.mark.processes
async def test_the_asynchronous_client_follows_too(server: Server, key: str) -> None:
    conversation = str(uuid4())
    async with AsyncAgentPipe(server.url, key) as client:
        await client.send_batch([entry(conversation, number) for number in range(3)])
        async with aclosing(client.follow_conversation(conversation, since="0")) as events:
            seen = [(await anext(events)).data["content"] for _ in range(3)]

    assert seen == ["0", "1", "2"]


@pytest.mark.processes
def test_tail_shows_everything_once_though_the_server_is_restarted(
    server: Server, key: str, client: AgentPipe, run: Run
) -> None:
    conversation = str(uuid4())
    client.send_batch([entry(conversation, number) for number in range(3)])
    tail = run(
        "tail", "--conversation", conversation, "--since", "0", "--json", url=server.url, key=key
    )
    tail.await_out(lambda out: len(out) == 3)
    server.kill()
    tail.await_said("Connecting again")
    tail.process.send_signal(signal.SIGSTOP)  # it is not to be back before the others are told
    server.start()
    client.send_batch([entry(conversation, number) for number in range(3, 6)])
    tail.process.send_signal(signal.SIGCONT)
    tail.await_out(lambda out: any('"5"' in line for line in out))
    tail.process.send_signal(signal.SIGINT)

    assert tail.end() == 130
    frames = [json.loads(line) for line in tail.out]
    assert [found["seq"] for found in frames] == [1, 2, 3, 4, 5, 6]
    assert [found["data"]["content"] for found in frames] == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.processes
def test_tail_is_readable_and_never_steers_the_terminal(
    server: Server, key: str, client: AgentPipe, run: Run
) -> None:
    conversation = str(uuid4())
    said = {"conversation_id": conversation, "agent_type": "claude", "agent_name": "Ada"}
    content = "Hello\x1b[2J\n[bold]you[/bold]"
    client.send_event("message.created", {**said, "content": content, "tokens_used": 7})
    tail = run("tail", "--conversation", conversation, "--since", "0", url=server.url, key=key)
    tail.await_out(lambda out: any("you" in line for line in out))
    tail.process.send_signal(signal.SIGINT)

    assert tail.end() == 130
    assert tail.said == []
    assert "\x1b" not in "".join(tail.out)
    assert [line[10:] for line in tail.out if "started" not in line] == [
        "Ada: Hello\N{REPLACEMENT CHARACTER}[2J",
        "[bold]you[/bold]  (7 tokens)",
    ]


def entry(conversation: str, number: int) -> Json:
    data = {"conversation_id": conversation, "level": "message", "content": str(number)}
    return {"type": "log.entry", "timestamp": f"2026-11-21T10:00:0{number}Z", "data": data}
