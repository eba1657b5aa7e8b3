"""A real server for the browser: a process of its own, on a database of its own."""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.services import free_port

ROOT = Path(__file__).parents[2]
WITHIN_S = 30
KEY = "known-to-the-browser-tests-only"


class Server:
    """`manage.py up`, which may be killed and started again on the same database and port."""

    def __init__(self, folder: Path, *, is_local: bool) -> None:
        self.folder = folder
        self.is_local = is_local
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        name = f"browser_{secrets.token_hex(6)}"
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        self.database_url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=name))

    def start(self) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {
            "AGENTPIPE_DATA_DIR": str(self.folder),
            "AGENTPIPE_LOCAL": "1" if self.is_local else "0",
            "AGENTPIPE_BRIDGE_API_KEY": KEY,
            "DATABASE_URL": self.database_url,
            "PORT": str(self.port),
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env=kept | ours,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + WITHIN_S
        while not self._is_ready():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """As kill -9 does it: no farewell to anybody."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def discard(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(WITHIN_S)
        name = urlsplit(self.database_url).path.strip("/")
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def admin_password(self) -> str:
        return (self.folder / "admin_password").read_text().strip()

    def ingest(self, kind: str, **data: Any) -> None:
        request = urllib.request.Request(
            f"{self.url}/api/ingest",
            data=json.dumps({"type": kind, "data": data}).encode(),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status in {200, 201}

    def say(self, content: str, *, conversation_id: str = "tower", **data: Any) -> None:
        said = {"agent_type": "claude", "agent_name": "Ada", "content": content, **data}
        self.ingest("message.created", conversation_id=conversation_id, **said)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz"):
                return True
        except (OSError, urllib.error.URLError):
            return False
