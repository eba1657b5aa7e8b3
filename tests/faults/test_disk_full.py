"""A disk that is full: what was acknowledged is there, and with room again all goes on by itself.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long). Both
need a small disk of their own: only root may make one.
"""

import asyncio
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.clients import said
from tests.faults.traffic import Traffic, traffic
from tests.servers import KEY, Running, Server

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
TABLES_MIB = 48
ALL_MIB = 400
BALLAST = "ballast"

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.processes,
    pytest.mark.skipif(os.getuid() != 0, reason="NOT TESTED: only root can make a small disk"),
]


class Disk:
    """A small one, in memory."""

    def __init__(self, mebibytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="agentpipe-disk-"))
        mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=711", "none"]
        made = subprocess.run([*mount, self.folder], capture_output=True, text=True, check=False)
        if made.returncode:
            self.folder.rmdir()
            pytest.skip(f"NOT TESTED: no small disk can be made here ({made.stderr.strip()})")

    def fill(self) -> None:
        with (self.folder / BALLAST).open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                return

    def make_room(self) -> None:
        (self.folder / BALLAST).unlink()

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)
        self.folder.rmdir()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def ask(database_url: str, *statements: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def disk(stack: ExitStack) -> Disk:
    disk = Disk(TABLES_MIB)
    stack.callback(disk.remove)
    return disk


@pytest.fixture
def server(disk: Disk, stack: ExitStack) -> Server:
    """With its tables, and nothing else, on the small disk."""
    server = Server(is_local=False)
    shared = os.environ["DATABASE_URL"]
    with psycopg.connect(shared) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    if row is None or not Path(row[0]).exists():
        pytest.skip("NOT TESTED: the database that was given is on another machine")
    tables = disk.folder / "tables"
    tables.mkdir()
    os.chown(tables, Path(row[0]).stat().st_uid, -1)
    name = server.place.name
    ask(shared, f"CREATE TABLESPACE {name} LOCATION '{tables}'")
    stack.callback(ask, shared, f"DROP TABLESPACE {name}")
    stack.callback(server.discard)
    ask(shared, f"ALTER DATABASE {name} SET TABLESPACE {name}")
    server.start()
    return server


async def test_tables_that_cannot_grow_lose_nothing(disk: Disk, server: Server) -> None:
    async with traffic([server.url]) as going_on:
        for _ in range(5 if IS_LONG else 1):
            await going_on.grows()
            disk.fill()
            await until_refused(going_on)
            await going_on.is_refused()
            # What is there can be read.
            found = await going_on.client.get(f"{server.url}/api/conversations")
            assert found.status_code == 200
            disk.make_room()
            await going_on.grows()


@pytest.mark.skipif(not IS_LONG, reason="for make faults: it starts from nothing, twice")
async def test_a_whole_server_on_a_full_disk_comes_back_when_there_is_room(
    stack: ExitStack,
) -> None:
    """Its log of transactions too, so that PostgreSQL itself goes down."""
    disk = Disk(ALL_MIB)
    stack.callback(disk.remove)
    folder = disk.folder / "var"
    running = Running(folder, AGENTPIPE_BRIDGE_API_KEY=KEY, AGENTPIPE_RATE_BRIDGE="0")
    stack.callback(running.stop)
    await asyncio.to_thread(running.await_ready)
    async with traffic([running.url]) as going_on:
        for _ in range(3):
            await going_on.grows()
            disk.fill()
            await until_refused(going_on)
            await going_on.is_refused()
            upload = await going_on.client.post(
                f"{running.url}/api/projects/default/ingest/jobs",
                content=b"{}\n" * 100_000,
                headers={"Content-Type": "application/x-ndjson"},
            )
            assert upload.status_code >= 500
            assert upload.json()["error"]
            disk.make_room()
            await going_on.grows()
    assert running.process.poll() is None


async def until_refused(going_on: Traffic) -> None:
    """Send much, until there is no place for it."""
    while True:
        much = said("elsewhere", "", padding=secrets.token_hex(200_000))
        event = {"type": "log.entry", "data": much}
        answer = await going_on.client.post(f"{going_on.urls[0]}/api/ingest", json=event)
        if answer.status_code >= 500:
            assert answer.json()["error"]
            return
