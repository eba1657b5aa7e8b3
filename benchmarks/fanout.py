"""Measure the fan-out to many sockets, in turn with the floor: `python -m benchmarks.fanout`."""

import argparse
import resource
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from benchmarks import broadcast_floor, clients
from benchmarks.agentpipe_server import AgentPipe, Bridge
from benchmarks.clients import HOST, Heard, Listen, Open
from benchmarks.processes import Child, paced, percentile

MB = 1_000_000
FRAME_BYTES = 1024
BURST_EVENTS = 200
POST_EVENTS = 50
POSTS_AT_ONCE = 4
EVENTS_A_SECOND = 20
NON_READERS = 20
FLOOD_BYTES = 20 * MB
FLOOD_POSTS = 20
FLOOD_MESSAGES = 32
FLOODS_BEFORE = 2
SMALL_RECEIVE_BUFFER = 4096
SETTLED_AFTER_S = 2.0
ANSWERED_WITHIN_S = 130
MEASURED_WITHIN_S = 120

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything is measured."""

    sockets: int
    rounds: int
    latency_s: int
    flood_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From recording to receipt in milliseconds, and from the start of the POST."""

    p50: float
    p99: float
    worst: float
    p99_from_post: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table: what was measured, beside the floor and the target."""

    figure: str
    ours: str
    floor: str = ""
    ratio: str = ""
    target: str = ""
    is_met: bool | None = None


class Side:
    """One of the two servers with the sockets that listen to it."""

    def __init__(self, crowd: Child, sockets: int) -> None:
        self.crowd = crowd
        self.sockets = sockets

    def open(self, port: int, path: str) -> None:
        wanted = Open(port=port, path=path, sockets=self.sockets)
        self.crowd.ask(wanted, within_s=ANSWERED_WITHIN_S)

    @contextmanager
    def listening(self, events: int) -> Iterator["Listening"]:
        """What every socket hears of so many events; read it after the context has ended."""
        wanted = Listen(events=events, within_s=MEASURED_WITHIN_S)
        self.crowd.ask(wanted, within_s=ANSWERED_WITHIN_S)
        began = Listening()
        yield began
        began.heard = self.crowd.hear(within_s=ANSWERED_WITHIN_S)


class Listening:
    heard: Heard


def main() -> None:
    size = parse_size()
    raise_file_limit(4 * size.sockets)
    began = time.monotonic()
    with ExitStack() as stack:
        server = stack.enter_context(AgentPipe())
        floor_server = stack.enter_context(running(broadcast_floor.main))
        bench = Bench(
            size,
            server,
            floor_server,
            ours=Side(stack.enter_context(running(clients.main)), size.sockets),
            floor=Side(stack.enter_context(running(clients.main)), size.sockets),
        )
        rows = bench.run()
    print(table(rows))
    print(f"\n{size.sockets:,} sockets, {size.rounds} rounds, {time.monotonic() - began:.0f} s.")


class Bench:
    def __init__(
        self, size: Size, server: AgentPipe, floor_server: Child, *, ours: Side, floor: Side
    ) -> None:
        self.size = size
        self.server = server
        self.floor_server = floor_server
        self.ours = ours
        self.floor = floor
        self.bridge = Bridge(server.port)
        self.content = "x"

    def run(self) -> list[Row]:
        idle_bytes = self.open_all()
        self.fit_content()
        return [
            *self.throughput(),
            *self.latency(),
            *self.non_readers(),
            memory_row(idle_bytes),
        ]

    def open_all(self) -> float:
        """Open every socket, and say what one of ours costs the server in bytes."""
        say("opening the sockets")
        self.bridge.say("Is it awake?")
        before = self.server.resident_bytes()
        self.ours.open(self.server.port, self.bridge.path)
        time.sleep(SETTLED_AFTER_S)
        taken = self.server.resident_bytes() - before
        self.floor.open(self.floor_server.hear(within_s=ANSWERED_WITHIN_S), "/")
        return taken / self.size.sockets

    def fit_content(self) -> None:
        """Find the content with which a whole frame has FRAME_BYTES."""
        with self.ours.listening(1) as measured:
            self.bridge.say(self.content)
        self.content *= FRAME_BYTES - measured.heard.frame_bytes + len(self.content)

    def throughput(self) -> Iterator[Row]:
        ours: list[float] = []
        floor: list[float] = []
        singly: list[float] = []
        busy: list[float] = []
        for number in range(self.size.rounds):
            say(f"throughput, round {number + 1}")
            heard = self.our_burst(BURST_EVENTS, at_a_time=POST_EVENTS)
            ours.append(pace_of(heard))
            busy.append(heard.busy_s / (heard.last - heard.first))
            floor.append(pace_of(self.floor_burst()))
            singly.append(pace_of(self.our_burst(BURST_EVENTS, at_a_time=1)))
        ratio = statistics.median(ours) / statistics.median(floor)
        yield Row(
            figure="deliveries a second",
            ours=spread(ours),
            floor=spread(floor),
            ratio=f"{ratio:.2f}",
            target=">= 30,000 and ratio >= 0.33",
            is_met=statistics.median(ours) >= 30_000 and ratio >= 1 / 3,
        )
        yield Row(
            figure="  published one by one",
            ours=spread(singly),
            ratio=f"{statistics.median(singly) / statistics.median(floor):.2f}",
        )
        yield Row(figure="  load generator busy", ours=f"{statistics.median(busy):.0%} of a core")

    def our_burst(self, events: int, *, at_a_time: int) -> Heard:
        def say_some(turn: int) -> None:
            self.bridge.say(self.content, times=at_a_time)

        with self.ours.listening(events) as measured, ThreadPoolExecutor(POSTS_AT_ONCE) as posters:
            list(posters.map(say_some, range(events // at_a_time)))
        return measured.heard

    def floor_burst(self) -> Heard:
        with self.floor.listening(BURST_EVENTS) as measured:
            self.floor_server.tell(
                broadcast_floor.Tell(events=BURST_EVENTS, frame_bytes=FRAME_BYTES)
            )
        return measured.heard

    def latency(self) -> Iterator[Row]:
        say("latency")
        ours = self.our_latency(self.size.latency_s)
        floor = self.floor_latency(self.size.latency_s)
        is_met = ours.p99 < 150
        for name, mine, theirs, target in (
            ("p50", ours.p50, floor.p50, ""),
            ("p99", ours.p99, floor.p99, "< 150 ms"),
            ("max", ours.worst, floor.worst, ""),
        ):
            yield Row(
                figure=f"{name} at {EVENTS_A_SECOND} events a second",
                ours=f"{mine:.1f} ms",
                floor=f"{theirs:.1f} ms",
                ratio=f"{mine / theirs:.1f}",
                target=target,
                is_met=is_met if target else None,
            )
        yield Row(figure="  p99 from the start of the POST", ours=f"{ours.p99_from_post:.1f} ms")

    def our_latency(self, seconds: int) -> Latency:
        posted: list[float] = []
        events = seconds * EVENTS_A_SECOND
        with self.ours.listening(events) as measured:
            for pause_s in paced(events, gap_s=1 / EVENTS_A_SECOND):
                time.sleep(pause_s)
                posted.append(time.time())
                self.bridge.say(self.content)
        return latency_of(measured.heard, posted)

    def floor_latency(self, seconds: int) -> Latency:
        events = seconds * EVENTS_A_SECOND
        with self.floor.listening(events) as measured:
            self.floor_server.tell(
                broadcast_floor.Tell(
                    events=events, frame_bytes=FRAME_BYTES, gap_s=1 / EVENTS_A_SECOND
                )
            )
        return latency_of(measured.heard)

    def non_readers(self) -> Iterator[Row]:
        """The same flood to sockets that read it, then to as many that never do.

        The first flood is repeated, so that the server has what memory the flood itself takes.
        """
        say(f"{NON_READERS} sockets that never read")
        elsewhere = Bridge(self.server.port)
        port, path = self.server.port, elsewhere.path
        for _ in range(FLOODS_BEFORE):
            with (
                reading_sockets(port, path, count=1 + NON_READERS),
                sampling(self.server.resident_bytes) as before,
            ):
                without = self.flooded_latency(elsewhere)
        with (
            reading_sockets(port, path, count=1),
            silent_sockets(port, path, count=NON_READERS),
            sampling(self.server.resident_bytes) as beside_them,
        ):
            beside = self.flooded_latency(elsewhere)
        taken = (max(beside_them) - max(before)) / MB
        yield Row(
            figure=f"memory for {NON_READERS} non-readers, {FLOOD_BYTES // MB} MB each",
            ours=f"{taken:.1f} MB",
            target="< 10 MB in sum",
            is_met=taken < 10,
        )
        yield Row(
            figure="p99 of the others beside them",
            ours=f"{beside.p99:.1f} ms",
            floor=f"{without.p99:.1f} ms without",
            ratio=f"{beside.p99 / without.p99:.1f}",
            target="< 150 ms, or as without",
            is_met=beside.p99 < max(150, 1.5 * without.p99),
        )

    def flooded_latency(self, bridge: Bridge) -> Latency:
        flood = threading.Thread(target=self.flood, args=(bridge,))
        flood.start()
        try:
            return self.our_latency(self.size.flood_s)
        finally:
            flood.join()

    def flood(self, bridge: Bridge) -> None:
        content = "x" * (FLOOD_BYTES // FLOOD_POSTS // FLOOD_MESSAGES)
        for pause_s in paced(FLOOD_POSTS, gap_s=self.size.flood_s / FLOOD_POSTS):
            time.sleep(pause_s)
            bridge.say(content, times=FLOOD_MESSAGES)


def parse_size() -> Size:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fanout", description=__doc__)
    parser.add_argument("--sockets", type=int, help="on each server (1000)")
    parser.add_argument("--rounds", type=int, help="of throughput, in turn (5)")
    parser.add_argument("--quick", action="store_true", help="a look in half a minute")
    given = parser.parse_args()
    return Size(
        sockets=given.sockets or (200 if given.quick else 1000),
        rounds=given.rounds or (2 if given.quick else 5),
        latency_s=4 if given.quick else 20,
        flood_s=4 if given.quick else 10,
    )


def raise_file_limit(wanted: int) -> None:
    """Allow this process and its children as many sockets as they will need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def running(main: Callable[..., object]) -> Iterator[Child]:
    child = Child(main)  # type: ignore[arg-type]
    try:
        yield child
    finally:
        child.stop()


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


def pace_of(heard: Heard) -> float:
    return heard.deliveries / (heard.last - heard.first)


def latency_of(heard: Heard, posted: Sequence[float] | None = None) -> Latency:
    from_recording = _delays_ms(heard, heard.recorded_at)
    from_post = _delays_ms(heard, posted) if posted else None
    return Latency(
        p50=percentile(from_recording, 0.5),
        p99=percentile(from_recording, 0.99),
        worst=max(from_recording),
        p99_from_post=percentile(from_post, 0.99) if from_post else None,
    )


def _delays_ms(heard: Heard, starts: Sequence[float]) -> list[float]:
    return [
        (at - start) * 1000
        for start, times in zip(starts, heard.times, strict=True)
        for at in times
    ]


def memory_row(idle_bytes: float) -> Row:
    return Row(figure="memory for an idle socket", ours=f"{idle_bytes / 1000:.1f} kB")


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def table(rows: Sequence[Row]) -> str:
    verdicts = {None: "", True: "met", False: "MISSED"}
    lines = [("figure", "ours", "floor", "ratio", "target", "")]
    lines += [
        (row.figure, row.ours, row.floor, row.ratio, row.target, verdicts[row.is_met])
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def say(what: str) -> None:
    print(f"... {what}", flush=True)


if __name__ == "__main__":
    main()
