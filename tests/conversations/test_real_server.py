"""The command-line tool against a server of its own: threads, sockets, a real PostgreSQL."""

import http.client
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.clients import NOW, Json, said, started
from tests.servers import KEY, Server

pytestmark = pytest.mark.processes

HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(is_local=True)
    try:
        server.start()
        yield server
    finally:
        server.discard()


def get(server: Server, path: str) -> Any:
    return httpx.get(server.url + path, headers=HEADERS, timeout=60).json()


@pytest.mark.parametrize("seed", range(3))
def test_a_session_sent_from_twenty_threads_is_whole(server: Server, seed: int) -> None:
    conversation = str(uuid4())
    messages = [
        {
            "type": "message.created",
            "data": said(
                conversation, f"line {number}", sequence_number=number, tokens_used=7, cost=0.01
            ),
        }
        for number in range(1, 21)
    ]
    end = {"conversation_id": conversation, "status": "completed", "total_messages": 22}
    events: list[Json] = [
        {"type": "conversation.started", "data": started(conversation), "timestamp": NOW},
        *messages,
        *messages[::5],
        {"type": "conversation.completed", "data": end, "timestamp": NOW},
    ]
    random.Random(seed).shuffle(events)

    with httpx.Client(headers=HEADERS, timeout=60) as client, ThreadPoolExecutor(20) as threads:
        answers = threads.map(
            lambda event: client.post(f"{server.url}/api/ingest", json=event), events
        )
        assert {answer.status_code for answer in answers} == {200, 201}

    path = f"/api/conversations/{conversation}"
    found, stored = get(server, path), get(server, f"{path}/messages?page_size=100")["items"]
    frames = get(server, f"{path}/events?page_size=100")["items"]
    assert [message["content"] for message in stored] == [f"line {n}" for n in range(1, 21)]
    assert (found["status"], found["initialPrompt"]) == ("COMPLETED", "Design a tower")
    assert (found["totalMessages"], found["totalTokens"], found["totalCost"]) == (20, 140, 0.2)
    assert [frame["seq"] for frame in frames] == list(range(1, 23))


def test_every_answer_keeps_the_connection(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.connect()
    socket = connection.sock
    unknown = {"conversationId": "c" + "0" * 24, "error": "Oh"}
    for status, body, headers in (
        (200, {"type": "bridge.test", "data": {}}, {}),
        (400, {"type": "tower.built", "data": {}}, {}),
        (400, "no object", {}),
        (401, {}, {"Authorization": "Bearer wrong"}),
        (404, {"type": "conversation.interrupted", "data": unknown}, {}),
        (413, "x" * 2_000_000, {}),
        (415, {}, {"Content-Type": "text/plain"}),
        (200, {"type": "error.occurred", "data": unknown}, {}),
    ):
        connection.request("POST", "/api/ingest", json.dumps(body), HEADERS | headers)
        answer = connection.getresponse()

        assert isinstance(json.loads(answer.read()), dict)
        assert answer.status == status
        assert connection.sock is socket
    connection.close()
