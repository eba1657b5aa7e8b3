"""What a plain request takes, beside the same without us: `python -m benchmarks.requests`.

The same GETs in turns, over one connection each, at AgentPipe, at Django's own handler under
uvicorn with the same settings and database, and at Starlette with psycopg running the same SQL.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

from benchmarks.agentpipe_server import KEY, READY_WITHIN_S, ROOT, AgentPipe, Bridge, free_port
from benchmarks.clients import HOST
from benchmarks.processes import cpu_s
from benchmarks.report import columns, say

MESSAGES = 50
HEADERS = {"Authorization": f"Bearer {KEY}"}
DJANGO = ("uvicorn", "--factory", "django.core.asgi:get_asgi_application", "--no-access-log")


class Peer:
    """A server, and the connection over which it is asked."""

    def __init__(self, name: str, port: int, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.connection = HTTPConnection(HOST, port)

    def ask(self, path: str, times: int) -> tuple[float, float]:
        """The milliseconds and the milliseconds of CPU that each took."""
        began, used = time.perf_counter(), cpu_s(self.pid)
        for _ in range(times):
            self.connection.request("GET", path, headers=HEADERS)
            answer = self.connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body
        took = time.perf_counter() - began
        # Until the next turn it would have been closed at the other end.
        self.connection.close()
        return 1000 * took / times, 1000 * (cpu_s(self.pid) - used) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=300, help="in each turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.requests, options.rounds = 200, 3
    with ExitStack() as stack:
        ours = stack.enter_context(AgentPipe("--no-worker"))
        bridge = Bridge(ours.port)
        bridge.say("One stone after the other. " * 10, times=MESSAGES)
        conversation = f"/api/conversations/{bridge.conversation_id}"
        paths = {
            "/healthz": "/healthz",
            "a conversation": conversation,
            f"its {MESSAGES} messages": f"{conversation}/messages?page_size={MESSAGES}",
        }
        one, other = free_port(), free_port()
        django = [*DJANGO, "--log-level", "error", "--port", str(one)]
        floor = ["benchmarks.requests_floor", str(other), *paths.values()]
        peers = [
            Peer("AgentPipe", ours.port, ours.pid),
            Peer("Django under uvicorn", one, stack.enter_context(serving(ours, one, *django))),
            Peer("Starlette + psycopg", other, stack.enter_context(serving(ours, other, *floor))),
        ]
        for title, path in paths.items():
            say(f"{title}: {path}")
            print(f"\n{title}")
            print(compared(peers, path, options.requests, options.rounds), flush=True)


def compared(peers: Sequence[Peer], path: str, requests: int, rounds: int) -> str:
    """A table of medians, and how many times as much ours are of them."""
    found: dict[str, list[tuple[float, float]]] = {peer.name: [] for peer in peers}
    for peer in peers:
        peer.ask(path, requests)
    for _ in range(rounds):
        for peer in peers:
            found[peer.name].append(peer.ask(path, requests))
    medians = {
        name: [statistics.median(each) for each in zip(*turns, strict=True)]
        for name, turns in found.items()
    }
    ours_ms, ours_cpu_ms = medians["AgentPipe"]
    return columns(
        [
            ("", "time", "CPU", "ours is, in time", "in CPU"),
            *(
                (
                    name,
                    f"{took_ms:.2f} ms",
                    f"{cpu_ms:.2f} ms",
                    f"{ours_ms / took_ms:.2f}",
                    f"{ours_cpu_ms / cpu_ms:.2f}",
                )
                for name, (took_ms, cpu_ms) in medians.items()
            ),
        ]
    )


@contextmanager
def serving(ours: AgentPipe, port: int, *module: str) -> Iterator[int]:
    """A process beside ours, with its settings and its database."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "agentpipe.settings",
            "AGENTPIPE_DATA_DIR": str(ours.data_dir),
            "AGENTPIPE_LOCAL": "1",
            "AGENTPIPE_BRIDGE_API_KEY": KEY,
        },
    )
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not is_answering(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{module[0]} did not start")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def is_answering(port: int) -> bool:
    try:
        urllib.request.urlopen(
            urllib.request.Request(f"http://{HOST}:{port}/healthz", headers=HEADERS), timeout=5
        ).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
