"""`manage.py up` that is there at once: imported beforehand, and forked for each start.

A fork is a process like any other, with connections, a loop and threads of its own, and is killed
like one. What is forked for each environment comes from one process, too, which has imported all
that knows no settings. That the command also starts from nothing, tests/agentpipe/test_up.py shows.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[1]
# Of the environment of the tests, what their servers have as well.
KEPT = ("PATH", "HOME", "LANG")
# For so long one waits for news before another does.
TURN_S = 0.05
MOST_ASKED = 65_536
KNOW_NO_SETTINGS = [
    "channels.generic.websocket",
    "django.contrib.admin",
    "django.contrib.postgres.search",
    "django.contrib.staticfiles.finders",
    "django_stubs_ext",
    "limits.aio.storage",
    "procrastinate.contrib.django",
    "psycopg_pool",
    "redis.asyncio",
    "requests",
    "rest_framework.serializers",
    "structlog",
    "uvicorn",
    "uvloop",
    "websockets.legacy.server",
]
NEEDED = ["agentpipe.asgi", "agentpipe.urls", "agentpipe.management.commands.up"]


class Prepared:
    """The command in one environment, and the processes that it forks. It takes them along."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        asked_by_it, asked = os.pipe()
        told, told_by_it = os.pipe()
        _forebear().ask(environment, asked_by_it, told_by_it)
        os.close(asked_by_it)
        os.close(told_by_it)
        self._asked = os.fdopen(asked, "wb", buffering=0)
        self._told = os.fdopen(told, "rb", buffering=0)
        self._lock = threading.Lock()
        self._codes: dict[int, int] = {}

    def start(self, out: Path, err: Path, *options: str, **settings: int | str) -> "Fork":
        """With options of `up`, and with settings that differ from those of the environment."""
        wanted = {"out": str(out), "err": str(err), "options": options, "settings": settings}
        with self._lock:
            self._asked.write(json.dumps(wanted).encode() + b"\n")
            while (pid := self._hear(None)) is None or pid in self._codes:
                pass
            return Fork(self, pid)

    def stop(self) -> None:
        self._asked.close()
        with self._told:
            self._told.read()  # until there is nobody who could say anything

    def code_within(self, pid: int, seconds: float | None) -> int | None:
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            with self._lock:
                # Whoever else waits for one of them has its turn, too.
                while pid not in self._codes and self._hear(0 if seconds == 0 else TURN_S):
                    pass
                if pid in self._codes:
                    return self._codes[pid]
            if deadline is not None and time.monotonic() >= deadline:
                return None

    def _hear(self, seconds: float | None) -> int | None:
        """Of whom something was told: that it has begun, or with which code it ended."""
        if not select.select([self._told], [], [], seconds)[0]:
            return None
        pid, *code = map(int, self._told.readline().split())
        if code:
            self._codes[pid] = code[0]
        return pid


class Fork:
    """What tests need of a subprocess.Popen, of a process that another one has started."""

    def __init__(self, prepared: Prepared, pid: int) -> None:
        self._prepared = prepared
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        self.returncode = self._prepared.code_within(self.pid, 0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self.returncode = self._prepared.code_within(self.pid, timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("manage.py up", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Forebear:
    """A process that has imported what knows no settings; others are forked from it."""

    def __init__(self) -> None:
        self._asking, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with asked:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                cwd=ROOT,
                env={name: os.environ[name] for name in KEPT if name in os.environ},
                stdin=asked.fileno(),
            )

    def ask(self, environment: Mapping[str, str], stdin: int, stdout: int) -> None:
        socket.send_fds(self._asking, [json.dumps(dict(environment)).encode()], [stdin, stdout])

    def stop(self) -> None:
        self._asking.close()
        self._process.wait()


@functools.cache
def _forebear() -> _Forebear:
    forebear = _Forebear()
    atexit.register(forebear.stop)
    return forebear


def main() -> None:
    with _nothing_thrown_away():
        for name in KNOW_NO_SETTINGS:
            importlib.import_module(name)
    signal.signal(signal.SIGCHLD, _forget_who_ended)
    if _is_asked_for_one():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _serve()


def _is_asked_for_one() -> bool:
    """Whether this is the fork that somebody asked for; if not, nobody will ask any more."""
    with socket.socket(fileno=os.dup(0)) as asked:
        while True:
            environment, files, _, _ = socket.recv_fds(asked, MOST_ASKED, 2)
            if not environment:
                return False
            if not os.fork():
                break
            for file in files:
                os.close(file)
    os.environ.clear()
    os.environ.update(json.loads(environment))
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    return True


def _forget_who_ended(number: int, frame: FrameType | None) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _serve() -> None:
    import manage

    with _nothing_thrown_away():
        _import_what_it_needs()
    signal.signal(signal.SIGCHLD, _tell_who_ended)
    while line := sys.stdin.readline():
        wanted = json.loads(line)
        if _fork_with(wanted["out"], wanted["err"]):
            from django.conf import settings

            for name, value in wanted["settings"].items():
                setattr(settings, name, value)
            _leave_what_was_imported()
            sys.argv = ["manage.py", "up", *wanted["options"]]
            manage.main()
            return
    for pid in _alive:
        os.kill(pid, signal.SIGKILL)


_alive: set[int] = set()


def _import_what_it_needs() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentpipe.settings")
    for name in NEEDED:
        importlib.import_module(name)
    from django.db.migrations.loader import MigrationLoader
    from procrastinate.contrib.django import app

    from agents import roster

    roster.load()
    MigrationLoader(None)
    # At whatever minute of the hour a test is run, the same is done in it.
    tasks = app.periodic_registry.periodic_tasks
    for key in [key for key, task in tasks.items() if task.cron.split()[0].isdigit()]:
        del tasks[key]


@contextmanager
def _nothing_thrown_away() -> Iterator[None]:
    """Of what is imported, all is kept: nobody has to look for garbage in it."""
    gc.disable()
    yield
    gc.collect()
    gc.freeze()
    gc.enable()


def _fork_with(out: str, err: str) -> bool:
    """Whether this is the fork, of whose end nobody is told before its beginning."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid:
        _alive.add(pid)
        os.write(1, f"{pid}\n".encode())
    else:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, name in enumerate((os.devnull, out, err)):
            os.dup2(os.open(name, os.O_RDWR | os.O_APPEND), number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    return not pid


def _leave_what_was_imported() -> None:
    """A server first looks for garbage in all there is, and here that would copy all of it."""
    unfreeze = gc.unfreeze

    def not_yet() -> None:
        gc.unfreeze = unfreeze

    gc.unfreeze = not_yet


def _tell_who_ended(number: int, frame: FrameType | None) -> None:
    # One signal may stand for several; and other children came and went while things were imported.
    for pid in list(_alive):
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue  # the next signal came within this one, and that has told of it
        if found:
            _alive.discard(pid)
            os.write(1, f"{pid} {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
