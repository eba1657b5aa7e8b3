"""`manage.py up` that is there at once: imported beforehand, and forked for each start.

A fork is a process like any other, with connections, a loop and threads of its own, and is killed
like one. That the command also starts from nothing, tests/agentpipe/test_up.py shows.
"""

import gc
import importlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import IO

ROOT = Path(__file__).parents[1]
NEEDED = ["agentpipe.asgi", "agentpipe.urls", "agentpipe.management.commands.up"]


class Prepared:
    """The command in one environment. It forks one process at a time, and takes it along."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(self, out: Path, err: Path) -> "Fork":
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{out}\n{err}\n".encode())
        self._process.stdin.flush()
        return Fork(self._process.stdout)

    def stop(self) -> None:
        self._process.communicate()


class Fork:
    """What tests need of a subprocess.Popen, of a process that another one has started."""

    def __init__(self, told: IO[bytes]) -> None:
        self._told = told
        self.pid = int(told.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("manage.py up", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended_within(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
            self.returncode = int(self._told.readline())
        return self.returncode


def main() -> None:
    import manage

    _import_what_it_needs()
    signal.signal(signal.SIGCHLD, _tell_how_it_ended)
    while out := sys.stdin.readline().strip():
        if _fork_with(out, sys.stdin.readline().strip()):
            sys.argv = ["manage.py", "up"]
            manage.main()
            return
    if _pid:
        os.kill(_pid, signal.SIGKILL)


_pid = 0


def _import_what_it_needs() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "agentpipe.settings"
    for name in NEEDED:
        importlib.import_module(name)
    from agents import roster

    roster.load()
    gc.collect()
    gc.freeze()


def _fork_with(out: str, err: str) -> bool:
    """Whether this is the fork, whose end nobody has been told of before its number."""
    global _pid
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    _pid = os.fork()
    if not _pid:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, name in enumerate((os.devnull, out, err)):
            os.dup2(os.open(name, os.O_RDWR | os.O_APPEND), number)
    else:
        _tell(_pid)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    return not _pid


def _tell_how_it_ended(number: int, frame: FrameType | None) -> None:
    global _pid
    # Other children came and went while things were imported.
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid and pid == _pid:
        _pid = 0
        _tell(os.waitstatus_to_exitcode(status))


def _tell(number: int) -> None:
    os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    main()
