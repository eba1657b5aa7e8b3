"""Sockets that never read, beside many that do: `python -m benchmarks.slow`."""

import argparse
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

from benchmarks import clients
from benchmarks.agentpipe_server import AgentPipe, Bridge
from benchmarks.clients import HOST
from benchmarks.crowds import Crowd, Latency, crowd, latency_of, raise_file_limit
from benchmarks.processes import paced, sampling
from benchmarks.report import Row, say, table

MB = 1_000_000
EVENTS_A_SECOND = 20
NON_READERS = 20
FLOOD_BYTES = 20 * MB
FLOOD_POSTS = 20
FLOOD_MESSAGES = 32
FLOODS_BEFORE = 2
SMALL_RECEIVE_BUFFER = 4096
SETTLED_AFTER_S = 2.0
CONTENT = "x" * 700


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow", description=__doc__)
    parser.add_argument("--sockets", type=int, help="that do read (1000)")
    parser.add_argument("--quick", action="store_true", help="a look in half a minute")
    given = parser.parse_args()
    raise_file_limit()
    sockets = given.sockets or (200 if given.quick else 1000)
    with AgentPipe() as server, crowd(sockets) as readers:
        flood_s, rounds = (4, 1) if given.quick else (10, 3)
        bench = Bench(server, readers, flood_s=flood_s, rounds=rounds)
        rows = list(bench.non_readers())
    print(table(rows))
    print(f"\n{sockets:,} sockets that read.")


class Opened(Protocol):
    """Sockets that follow a stream, for as long as the context lasts."""

    def __call__(self, port: int, path: str, *, count: int) -> AbstractContextManager[None]: ...


class Bench:
    def __init__(self, server: AgentPipe, readers: Crowd, *, flood_s: int, rounds: int) -> None:
        self.server = server
        self.readers = readers
        self.flood_s = flood_s
        self.rounds = rounds
        self.bridge = Bridge(server.port)
        readers.open(server.port, self.bridge.path)

    def non_readers(self) -> Iterator[Row]:
        """The same flood to sockets that read it, and in turn to as many that never do.

        The server has a peak in each flood, which what is left of requests makes higher or lower by
        some megabytes: the lowest has the least of it. The first floods are for the memory that a
        flood takes anyway.
        """
        elsewhere = Bridge(self.server.port)
        for _ in range(FLOODS_BEFORE):
            self.flooded(elsewhere, reading_sockets)
        floods = []
        for number in range(self.rounds):
            say(f"{NON_READERS} sockets that never read, round {number + 1}")
            before = self.flooded(elsewhere, reading_sockets)
            floods.append((before, self.flooded(elsewhere, silent_sockets)))
        without, beside = map(list, zip(*floods, strict=True))
        taken = (min(peak for peak, _ in beside) - min(peak for peak, _ in without)) / MB
        yield Row(
            figure=f"memory for {NON_READERS} non-readers, {FLOOD_BYTES // MB} MB each",
            ours=f"{taken:.1f} MB",
            target="< 10 MB in sum",
            is_met=taken < 10,
        )
        p99 = statistics.median(latency.p99 for _, latency in beside)
        usual = statistics.median(latency.p99 for _, latency in without)
        yield Row(
            figure="p99 of the others beside them",
            ours=f"{p99:.1f} ms",
            floor=f"{usual:.1f} ms without",
            ratio=f"{p99 / usual:.1f}",
            target="< 150 ms, or as without",
            is_met=p99 < max(150, 1.5 * usual),
        )

    def flooded(self, bridge: Bridge, others: Opened) -> tuple[int, Latency]:
        """How much memory the server had at most, and how late those were who read."""
        port, path = self.server.port, bridge.path
        with (
            reading_sockets(port, path, count=1),
            others(port, path, count=NON_READERS),
            sampling(self.server.resident_bytes) as found,
        ):
            latency = self.flooded_latency(bridge)
        return max(found), latency

    def flooded_latency(self, bridge: Bridge) -> Latency:
        flood = threading.Thread(target=self.flood, args=(bridge,))
        flood.start()
        try:
            return self.latency()
        finally:
            flood.join()

    def flood(self, bridge: Bridge) -> None:
        content = "x" * (FLOOD_BYTES // FLOOD_POSTS // FLOOD_MESSAGES)
        for pause_s in paced(FLOOD_POSTS, gap_s=self.flood_s / FLOOD_POSTS):
            time.sleep(pause_s)
            bridge.say(content, times=FLOOD_MESSAGES)

    def latency(self) -> Latency:
        events = self.flood_s * EVENTS_A_SECOND
        with self.readers.listening(events) as measured:
            for pause_s in paced(events, gap_s=1 / EVENTS_A_SECOND):
                time.sleep(pause_s)
                self.bridge.say(CONTENT)
        return latency_of(measured.heard)


@contextmanager
def silent_sockets(port: int, path: str, *, count: int) -> Iterator[None]:
    """Sockets that follow a stream and never read from it."""
    with ExitStack() as stack:
        for _ in range(count):
            silent = stack.enter_context(socket.socket())
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_RECEIVE_BUFFER)
            silent.connect((HOST, port))
            silent.sendall(clients.handshake(port, path))
        time.sleep(SETTLED_AFTER_S)
        yield


@contextmanager
def reading_sockets(port: int, path: str, *, count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(reading_socket(port, path))
        yield


@contextmanager
def reading_socket(port: int, path: str) -> Iterator[None]:
    """One socket that follows a stream and takes whatever comes."""
    with socket.create_connection((HOST, port)) as reader:
        reader.sendall(clients.handshake(port, path))

        def drain() -> None:
            while reader.recv(MB):
                pass

        draining = threading.Thread(target=drain)
        draining.start()
        try:
            yield
        finally:
            reader.shutdown(socket.SHUT_RDWR)
            draining.join()


if __name__ == "__main__":
    main()
