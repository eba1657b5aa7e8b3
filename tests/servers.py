"""`manage.py up` in processes of its own, waited for until they answer."""

import atexit
import functools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.prepared import KEPT, ROOT, Fork, Prepared
from tests.services import free_port, name_of_copied, name_of_tables

WITHIN_S = 150
KEY = "known-to-the-tests-only"
ADMIN_PASSWORD = "swordfish-of-the-tests"
# An arbitrary number that every process of a run agrees on.
MIGRATING = 4_201_170_802


class Running:
    """One process, what it answers and what it says."""

    def __init__(self, data_dir: Path, *options: str, **variables: str) -> None:
        self.data_dir = data_dir
        self.port = int(variables.get("PORT") or free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        data_dir.mkdir(exist_ok=True)
        # Files and no pipes: nobody reads while it runs.
        run = secrets.token_hex(4)
        self._out, self._err = data_dir / f"{run}.out", data_dir / f"{run}.err"
        self._out.touch()
        self._err.touch()
        self.process = self._start(*options, **{**variables, "PORT": str(self.port)})

    def _start(self, *options: str, **variables: str) -> subprocess.Popen[bytes] | Fork:
        with self._out.open("wb") as out, self._err.open("wb") as err:
            return subprocess.Popen(
                [sys.executable, "manage.py", "up", *options],
                cwd=ROOT,
                env=environment(self.data_dir, **variables),
                stdout=out,
                stderr=err,
            )

    def await_ready(self) -> Any:
        """What /readyz answers when all is well."""
        wait_for(lambda: self.readiness() is not None or self.process.poll() is not None)
        assert self.process.poll() is None, self.finish()
        return self.readiness()

    def readiness(self) -> Any:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz") as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError):
            return None

    def stop(self, demand: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(demand)
        return self.finish()

    def finish(self) -> tuple[int, str, str]:
        """Its exit code and what it said."""
        try:
            code = self.process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return code, *self.said()

    def said(self) -> tuple[str, str]:
        return self._out.read_text(), self._err.read_text()


class Server:
    """A server on a database of its own, which may be killed and started again."""

    def __init__(self, *, is_local: bool) -> None:
        self.place = Place.idle(is_local=is_local)
        self.folder = self.place.folder
        self.port = self.place.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = self.place.database_url
        self.running: Running | None = None
        self.place.furnish()

    def start(self) -> None:
        self.running = Forked(self.place.command, self.folder, port=self.port)
        self.running.await_ready()

    def kill(self) -> None:
        """As kill -9 does it: no farewell to anybody."""
        if self.running is not None:
            self.running.stop(signal.SIGKILL)
            self.running = None

    def discard(self) -> None:
        if self.running is not None:
            self.running.stop()
        self.place.clear()

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

    def ingest_all(self, events: list[dict[str, Any]]) -> None:
        request = urllib.request.Request(
            f"{self.url}/api/ingest/batch",
            data=json.dumps(events).encode(),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["rejected"] == 0

    def say(self, content: str, *, conversation_id: str = "tower", **data: Any) -> None:
        said = {"agent_type": "claude", "agent_name": "Ada", "content": content, **data}
        self.ingest("message.created", conversation_id=conversation_id, **said)


class Place:
    """Where one server after the other runs: with one port, one folder and one database's name."""

    _idle: ClassVar[dict[bool, list["Place"]]] = {True: [], False: []}

    @classmethod
    def idle(cls, *, is_local: bool) -> "Place":
        found = cls._idle[is_local]
        return found.pop() if found else cls(is_local=is_local)

    def __init__(self, *, is_local: bool) -> None:
        self.is_local = is_local
        self.folder = Path(tempfile.mkdtemp(prefix="agentpipe-server-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.port = free_port()
        self.name = f"server_{secrets.token_hex(6)}"
        self.database_url = _url_of(self.name)

    @functools.cached_property
    def command(self) -> Prepared:
        variables = {
            "AGENTPIPE_LOCAL": "1" if self.is_local else "0",
            "AGENTPIPE_BRIDGE_API_KEY": KEY,
            "DATABASE_URL": self.database_url,
            "PORT": str(self.port),
        }
        command = Prepared(environment(self.folder, **variables))
        atexit.register(command.stop)
        return command

    def furnish(self) -> None:
        _ask(f"CREATE DATABASE {self.name} TEMPLATE {_migrated()}")
        (self.folder / "admin_password").write_text(ADMIN_PASSWORD)

    def clear(self) -> None:
        _ask(f"DROP DATABASE {self.name} WITH (FORCE)")
        for entry in self.folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self._idle[self.is_local].append(self)


class Forked(Running):
    """With settings that differ from those of the command's environment."""

    def __init__(
        self, command: Prepared, folder: Path, *options: str, port: int, **settings: str
    ) -> None:
        self._command = command
        self._settings = settings
        super().__init__(folder, *options, PORT=str(port))

    def _start(self, *options: str, **variables: str) -> Fork:
        port = int(variables["PORT"])
        return self._command.start(self._out, self._err, *options, PORT=port, **self._settings)


def wait_for(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not fact():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@functools.cache
def _migrated() -> str:
    """A database to copy, made by whichever process of the run needs one first."""
    name = name_of_copied()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
            draft = f"{name}_draft"
            connection.execute(f"CREATE DATABASE {draft} TEMPLATE {name_of_tables()}".encode())
            _start_once(_url_of(draft))
            connection.execute(f"ALTER DATABASE {draft} RENAME TO {name}".encode())
    return name


def _start_once(database_url: str) -> None:
    """What a first start does to a database is done to it, and its admin has our password."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "admin_password").write_text(ADMIN_PASSWORD)
        first = Running(Path(folder), "--no-worker", DATABASE_URL=database_url)
        try:
            first.await_ready()
        finally:
            first.stop()


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "AGENTPIPE_DATA_DIR": str(data_dir), "AGENTPIPE_LOCAL": "1", **variables}


def _url_of(name: str) -> str:
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=name))


def _ask(statement: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement.encode())
