"""The command-line tool against a server of its own: threads, sockets, a real PostgreSQL."""

import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.clients import NOW, Json, said, started
from tests.services import free_port

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60


@dataclass(frozen=True)
class Server:
    port: int
    key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, headers=self.headers).json()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="agentpipe-"))
    folder.chmod(0o711)
    port = free_port()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ours = {"AGENTPIPE_DATA_DIR": str(folder), "PORT": str(port), "AGENTPIPE_LOCAL": "1"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--no-worker"],
        cwd=ROOT,
        env=kept | ours,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_ready(process, f"http://127.0.0.1:{port}/readyz")
        yield Server(port, (folder / "bridge_api_key").read_text())
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


def await_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server has stopped"
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server was not ready in time")


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

    with httpx.Client(headers=server.headers) as client, ThreadPoolExecutor(20) as threads:
        answers = threads.map(
            lambda event: client.post(f"{server.url}/api/ingest", json=event), events
        )
        assert {answer.status_code for answer in answers} == {200, 201}

    path = f"/api/conversations/{conversation}"
    found, stored = server.get(path), server.get(f"{path}/messages?page_size=100")["items"]
    frames = server.get(f"{path}/events?page_size=100")["items"]
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
        connection.request("POST", "/api/ingest", json.dumps(body), server.headers | headers)
        answer = connection.getresponse()

        assert isinstance(json.loads(answer.read()), dict)
        assert answer.status == status
        assert connection.sock is socket
    connection.close()
