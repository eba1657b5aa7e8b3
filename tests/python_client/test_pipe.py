"""`agentpipe pipe` loses nothing: the process is killed, the server is away, an answer is lost."""

import json
import signal
import time
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest

from agentpipe_client import AgentPipe, Participant
from tests.clients import said
from tests.python_client.conftest import Run
from tests.python_client.scripted import HangsUp, PassesOn, Says, scripted
from tests.servers import Server

pytestmark = pytest.mark.processes


def log_line(conversation: str, content: str) -> str:
    """Neither an id nor a time: nothing by which a server could tell it from its repetition."""
    data = {"conversation_id": conversation, "level": "message", "content": content}
    return json.dumps({"type": "log.entry", "data": data})


def message_line(conversation: str, content: str) -> str:
    return json.dumps({"type": "message.created", "data": said(conversation, content)})


def logged(client: AgentPipe, conversation: str) -> list[str]:
    """What the server tells of a conversation, each as often as it tells it."""
    found = []
    for event in client.follow_conversation(conversation, since="0"):
        if event.type == "log.entry":
            found.append(event.data["content"])
            if event.data["content"] == "end":
                return found
    return found


def test_killed_halfway_everything_it_has_read_arrives_once(
    server: Server, key: str, client: AgentPipe, run: Run
) -> None:
    conversation = str(uuid4())
    road = [PassesOn(server.url), PassesOn(server.url, loses_answer=True), PassesOn(server.url)]
    with scripted(*road) as between:
        pipe = run("pipe", "--tee", url=between.url, key=key)
        pipe.write(log_line(conversation, "taken"))
        between.await_passed_on(1)
        pipe.write(*[log_line(conversation, f"taken, not known {n}") for n in range(50)])
        between.await_passed_on(2)
        pipe.write(*[log_line(conversation, f"waiting {n}") for n in range(1500)])
        pipe.await_out(lambda out: len(out) == 1551)
        pipe.kill()

        later = run("pipe", "--flush", url=between.url, key=key)
        assert later.end() == 0, later.said
        last = run("pipe", url=between.url, key=key)
        last.write(log_line(conversation, "end"))
        assert last.end() == 0, last.said

    contents = Counter(logged(client, conversation))
    assert set(contents.values()) == {1}
    assert len(contents) == 1552


def test_while_the_server_is_away_events_wait_for_it_also_those_of_the_killed(
    server: Server, key: str, client: AgentPipe, run: Run
) -> None:
    conversation = str(uuid4())
    server.kill()
    hurried = run("pipe", "--wait", "0", url=server.url, key=key)
    hurried.write(*[message_line(conversation, f"first {number}") for number in range(3)])
    assert hurried.end() == 1
    assert any("is kept in" in line for line in hurried.said)
    killed = run("pipe", "--tee", url=server.url, key=key)
    killed.write(*[message_line(conversation, f"killed {number}") for number in range(3)])
    killed.await_out(lambda out: len(out) == 3)
    killed.await_said("until they can be sent")
    killed.kill()
    patient = run("pipe", url=server.url, key=key)
    patient.write(*[message_line(conversation, f"second {number}") for number in range(3)])
    patient.await_said("until they can be sent")
    server.start()
    patient.await_said("takes events again")
    patient.write(message_line(conversation, "third"))
    assert patient.end() == 0, patient.said

    contents = [message["content"] for message in client.messages(conversation)]
    assert sorted(contents) == [
        *[f"first {number}" for number in range(3)],
        *[f"killed {number}" for number in range(3)],
        *[f"second {number}" for number in range(3)],
        "third",
    ]


def test_a_batch_goes_again_as_the_same_bytes_under_the_same_key(run: Run) -> None:
    refused = {"index": 0, "status": 503, "error": "try again"}
    recorded = {"index": 0, "status": 200}
    half = Says(200, {"accepted": 0, "rejected": 1, "results": [refused]})
    whole = Says(200, {"accepted": 1, "rejected": 0, "results": [recorded]})
    asks_to_wait = Says(429, headers={"Retry-After": "0"})
    with scripted(HangsUp(), Says(503), asks_to_wait, half, whole) as server:
        pipe = run("pipe", url=server.url)
        pipe.write(log_line("tower", "one"))
        assert pipe.end() == 0, pipe.said

    assert len(server.asked) == 5
    assert len({(asked.body, asked.headers["Idempotency-Key"]) for asked in server.asked}) == 1


def test_what_is_refused_for_good_is_reported_and_stops_nothing(
    server: Server, key: str, client: AgentPipe, run: Run, tmp_path: Path
) -> None:
    conversation = str(uuid4())
    pipe = run("pipe", url=server.url, key=key)
    pipe.write("Starting the agents ...", message_line(conversation, "good"), "")
    pipe.write(json.dumps({"type": "tower.built", "data": {}}))
    pipe.write(message_line(conversation, "also good"), '{"no": "event"}')
    assert pipe.process.stdin is not None
    pipe.process.stdin.write(b'{"type": "message.created", "data": {"conver')
    assert pipe.end() == 1

    assert pipe.said == [
        "agentpipe: line 4 was refused: Unknown event type (400)",
        "agentpipe: 2 events sent, 1 refused, 2 lines were no events, the last line was cut off.",
    ]
    contents = {message["content"] for message in client.messages(conversation)}
    assert contents == {"good", "also good"}
    (kept,) = (tmp_path / "state").rglob("refused.ndjson")
    assert json.loads(kept.read_text())["line"] == 4


def test_a_lone_event_is_there_at_once(
    server: Server, key: str, client: AgentPipe, run: Run
) -> None:
    conversation = client.start_conversation(
        mode="free-form",
        initial_prompt="Wait",
        participants=[Participant(agent_id="a", agent_type="claude", agent_name="Ada")],
    )
    events = client.follow_conversation(conversation, since="0")
    next(events)
    pipe = run("pipe", url=server.url, key=key)
    # The first one waits for Python to start, and others for what else a machine does. One in less
    # than a second tells that it waits for nothing else to come.
    for number in range(60):
        at = time.monotonic()
        pipe.write(log_line(conversation, f"event {number}"))
        assert next(events).data["content"] == f"event {number}"
        if time.monotonic() - at < 0.9:
            break
    else:
        raise AssertionError("each of them waited for a second and more")
    events.close()
    assert pipe.end() == 0


def test_the_writer_is_heard_to_its_end_after_ctrl_c(run: Run) -> None:
    answer = {"accepted": 1, "rejected": 0, "results": [{"index": 0, "status": 200}]}
    with scripted(Says(200, answer)) as server:
        pipe = run("pipe", "--tee", url=server.url)
        pipe.write("the writer has begun")
        pipe.await_out(lambda out: len(out) == 1)
        pipe.process.send_signal(signal.SIGINT)
        pipe.await_said("Ctrl-C again")
        pipe.write(log_line("tower", "last words"))
        assert pipe.end() == 0, pipe.said

    assert b"last words" in server.asked[-1].body
