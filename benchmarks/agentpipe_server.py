"""The server as a user starts it, and the bridge that publishes to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from agentpipe.embedded import address, stop_leftover
from benchmarks.clients import HOST
from benchmarks.processes import end_in_order, resident_bytes

ROOT = Path(__file__).resolve().parent.parent
KEY = "known-to-the-benchmark-only"
READY_WITHIN_S = 180
STOPPED_WITHIN_S = 30
ANSWERED_WITHIN_S = 60


class AgentPipe:
    """`manage.py up` on a free port, with a data directory that is removed at the end."""

    def __init__(
        self, *options: str, program: Sequence[str] = ("manage.py",), **variables: str
    ) -> None:
        self.options = options
        self.program = program
        self.variables = variables
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="agentpipe-benchmark-")
        os.chmod(self._folder.name, 0o711)  # under root, PostgreSQL runs as another user
        self._log = Path(self._folder.name, "log")

    def __enter__(self) -> "AgentPipe":
        end_in_order()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.program, "up", *self.options],
                cwd=ROOT,
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._await_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def data_dir(self) -> Path:
        return Path(self._folder.name, "var")

    @property
    def database_url(self) -> str:
        where = address(self.data_dir)
        return f"postgresql://{where['USER']}@{quote(where['HOST'], safe='')}/{where['NAME']}"

    @property
    def postgres_pid(self) -> int:
        [noted] = self.data_dir.rglob("postmaster.pid")
        return int(noted.read_text().split()[0])

    def resident_bytes(self) -> int:
        return resident_bytes(self.pid)

    def _environment(self) -> dict[str, str]:
        # What the caller has configured for a server of their own is not for this one.
        foreign = ("AGENTPIPE_", "DATABASE_URL", "REDIS_URL", "ALLOWED_ORIGINS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        rates = ("INGEST", "BRIDGE", "UPLOAD", "STREAMS", "MESSAGES")
        return {
            **kept,
            "PORT": str(self.port),
            "AGENTPIPE_LOCAL": "1",
            "AGENTPIPE_DATA_DIR": str(self.data_dir),
            "AGENTPIPE_BRIDGE_API_KEY": KEY,
            **{f"AGENTPIPE_RATE_{name}": "0" for name in rates},
            **self.variables,
        }

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://{HOST}:{self.port}/healthz", timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"The server did not start:\n{self._log.read_text()}")

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            for left in self.data_dir.rglob("postmaster.pid"):
                stop_leftover(left.parent)
        self._folder.cleanup()


class Bridge:
    """Publishes to one conversation over a connection of its own, which it opens by itself."""

    def __init__(self, port: int) -> None:
        self.conversation_id = str(uuid.uuid4())
        self._port = port
        self._post([self._event("conversation.started", initial_prompt="How fast is it?")])

    @property
    def path(self) -> str:
        return f"/api/stream/conversations/{self.conversation_id}"

    def say(self, content: str, *, times: int = 1) -> None:
        """Return when the server has committed so many messages."""
        self._post([self._message(content) for _ in range(times)])

    def _message(self, content: str) -> dict[str, Any]:
        return self._event(
            "message.created",
            message_id=str(uuid.uuid4()),
            agent_id="benchmark",
            agent_type="benchmark",
            agent_name="Benchmark",
            role="agent",
            content=content,
        )

    def _event(self, kind: str, **data: object) -> dict[str, Any]:
        return {"type": kind, "data": {"conversation_id": self.conversation_id, **data}}

    def _post(self, events: list[dict[str, Any]]) -> None:
        # A connection for each: the server closes one that rests for as long as the floor's turn.
        connection = HTTPConnection(HOST, self._port, timeout=ANSWERED_WITHIN_S)
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/api/ingest/batch", json.dumps(events), headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status >= 300 or json.loads(body)["accepted"] != len(events):
            raise RuntimeError(f"The server answered {answer.status}: {body[:500]!r}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
