"""Processes of a benchmark's own, each at the other end of a pipe, and what they cost."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import uvloop

STOPPED_WITHIN_S = 10
ENDING = (signal.SIGINT, signal.SIGTERM)
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

T = TypeVar("T")
Pipe = Connection
Main = Callable[["Pipe"], Coroutine[Any, Any, None]]


class Child:
    """A coroutine in a process and an event loop of its own: one answer to one command."""

    def __init__(self, main: Main) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_run, args=(main, theirs), daemon=True)
        self.process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def tell(self, command: object) -> None:
        self.pipe.send(command)

    def hear(self, *, within_s: float) -> Any:
        """The next answer. Raises TimeoutError, and EOFError where the process has died."""
        if not self.pipe.poll(within_s):
            raise TimeoutError(f"{self.process.name} did not answer within {within_s:.0f} s")
        return self.pipe.recv()

    def ask(self, command: object, *, within_s: float) -> Any:
        self.tell(command)
        return self.hear(within_s=within_s)

    def stop(self) -> None:
        self.pipe.close()
        self.process.join(STOPPED_WITHIN_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextmanager
def running(main: Main) -> Iterator[Child]:
    child = Child(main)
    try:
        yield child
    finally:
        child.stop()


@contextmanager
def sampling(measure: Callable[[], T]) -> Iterator[list[T]]:
    """Measure twice a second, and once more at the end."""
    found: list[T] = []
    is_over = threading.Event()

    def sample() -> None:
        while not is_over.wait(0.5):
            found.append(measure())

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield found
    finally:
        is_over.set()
        sampler.join()
        found.append(measure())


def end_in_order() -> None:
    """SIGTERM ends this program as Ctrl-C does, so that it stops what it has started.

    What comes after the first is not heard: it would leave that halfway.
    """

    def end(number: int, frame: FrameType | None) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for each in ENDING:
        signal.signal(each, end)


async def next_command(pipe: "Pipe") -> Any:
    """What the parent wants next; None when it wants no more."""
    try:
        return await asyncio.to_thread(pipe.recv)
    except (EOFError, OSError):
        return None


def paced(count: int, *, gap_s: float) -> Iterator[float]:
    """How long to sleep before each of so many steps; a late step is followed at once."""
    began = time.monotonic()
    for step in range(count):
        yield max(0.0, began + step * gap_s - time.monotonic())


def resident_bytes(pid: int) -> int:
    """The memory of one process, without its children."""
    shown = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
    )
    return int(shown.stdout) * 1024


def cpu_s(pid: int) -> float:
    """What a process has used of a core; with what its children have that are gone. Linux only."""
    return sum(map(int, _stat(pid)[11:15])) / TICKS_A_SECOND


def family_bytes(pid: int) -> int:
    return resident_bytes(pid) + sum(map(resident_bytes, children(pid)))


def family_cpu_s(pid: int) -> float:
    return cpu_s(pid) + sum(map(cpu_s, children(pid)))


def threads(pid: int) -> int:
    return int(_stat(pid)[17])


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def _stat(pid: int) -> list[str]:
    """Behind the name, which may have spaces, see proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def percentile(values: Iterable[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def _run(main: Main, pipe: "Pipe") -> None:
    with suppress(KeyboardInterrupt):  # the parent got it too, and ends us
        uvloop.run(main(pipe))
