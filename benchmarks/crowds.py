"""Connections in a process of their own, and what they hear, from the side of who asks them."""

import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import clients
from benchmarks.clients import Form, Heard, Leave, Listen, Open
from benchmarks.processes import Child, percentile, running

ANSWERED_WITHIN_S = 310
MEASURED_WITHIN_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From recording to receipt in milliseconds, and from the start of the POST."""

    p50: float
    p99: float
    worst: float
    p99_from_post: float | None = None


class Hearing:
    heard: Heard


class Crowd:
    def __init__(self, child: Child, size: int) -> None:
        self.child = child
        self.size = size

    def open(
        self,
        port: int,
        path: str,
        *,
        form: Form = "websocket",
        is_greeted: bool = True,
        at_once: int = clients.OPENED_AT_ONCE,
        missed: int = 0,
    ) -> None:
        wanted = Open(
            port=port,
            path=path,
            sockets=self.size,
            form=form,
            is_greeted=is_greeted,
            at_once=at_once,
            missed=missed,
        )
        self.child.ask(wanted, within_s=ANSWERED_WITHIN_S)

    def leave(self) -> None:
        self.child.ask(Leave(), within_s=ANSWERED_WITHIN_S)

    @contextmanager
    def listening(self, events: int) -> Iterator[Hearing]:
        """What everybody hears of so many events; read it after the context has ended."""
        wanted = Listen(events=events, within_s=MEASURED_WITHIN_S)
        self.child.ask(wanted, within_s=ANSWERED_WITHIN_S)
        began = Hearing()
        yield began
        began.heard = self.child.hear(within_s=ANSWERED_WITHIN_S)


@contextmanager
def crowd(size: int) -> Iterator[Crowd]:
    with running(clients.main) as child:
        yield Crowd(child, size)


def raise_file_limit() -> int:
    """Allow this process and its children as many connections as they may have; says how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


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
