"""`manage.py up` that is there at once: imported beforehand, and forked for each start.

A fork is a process like any other, with connections, a loop and threads of its own, and is killed
like one. That the command also starts from nothing, tests/agentpipe/test_up.py shows.
"""

import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[1]
# For so long one waits for news before another does.
TURN_S = 0.05
NEEDED = ["agentpipe.asgi", "agentpipe.urls", "agentpipe.management.commands.up"]


class Prepared:
    """The command in one environment, and the processes that it forks. It takes them along."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._lock = threading.Lock()
        self._codes: dict[int, int] = {}

    def start(self, out: Path, err: Path, *options: str, **settings: int | str) -> "Fork":
        """With options of `up`, and with settings that differ from those of the environment."""
        assert self._process.stdin is not None
        wanted = {"out": str(out), "err": str(err), "options": options, "settings": settings}
        with self._lock:
            self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
            while (pid := self._hear(None)) is None or pid in self._codes:
                pass
            return Fork(self, pid)

    def stop(self) -> None:
        self._process.communicate()

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
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            return None
        pid, *code = map(int, self._process.stdout.readline().split())
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


def main() -> None:
    import manage

    _import_what_it_needs()
    signal.signal(signal.SIGCHLD, _tell_who_ended)
    while line := sys.stdin.readline():
        wanted = json.loads(line)
        if _fork_with(wanted["out"], wanted["err"]):
            from django.conf import settings

            for name, value in wanted["settings"].items():
                setattr(settings, name, value)
            sys.argv = ["manage.py", "up", *wanted["options"]]
            manage.main()
            return
    for pid in _alive:
        os.kill(pid, signal.SIGKILL)


_alive: set[int] = set()


def _import_what_it_needs() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentpipe.settings")
    gc.disable()  # what is imported is kept
    for name in NEEDED:
        importlib.import_module(name)
    from agents import roster

    roster.load()
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


def _tell_who_ended(number: int, frame: FrameType | None) -> None:
    # One signal may stand for several; and other children came and went while things were imported.
    for pid in list(_alive):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            _alive.discard(pid)
            os.write(1, f"{pid} {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
