"""Events to many followers, in turn with its peers: `python -m benchmarks.fanout`."""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks.agentpipe_server import AgentPipe, Bridge
from benchmarks.clients import Form
from benchmarks.crowds import Crowd, Latency, crowd, latency_of, pace_of, raise_file_limit
from benchmarks.peers import catalogue
from benchmarks.peers.catalogue import Peer, Told
from benchmarks.processes import cpu_s, paced
from benchmarks.report import columns, say

FRAME_BYTES = 1024
# What a burst makes of deliveries, whatever the crowd.
DELIVERIES = 100_000
QUICK_DELIVERIES = 10_000
POST_EVENTS = 50
POSTS_AT_ONCE = 4
EVENTS_A_SECOND = 20
SETTLED_AFTER_S = 2.0
MOST_LATENT_CROWD = 1000
# What comes with a connection: those of the server, of the crowd, and what else is open.
SPARE_FILES = 500

OURS = "AgentPipe, 50 a request"
OURS_SINGLY = "AgentPipe, one a request"
TARGET_CROWD = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything is measured."""

    crowds: Sequence[int]
    rounds: int
    deliveries: int
    latency_s: int


@dataclass(slots=True)
class Figures:
    """What the rounds of one contender have shown."""

    paces: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    latency: Latency | None = None
    socket_bytes: float | None = None

    @property
    def pace(self) -> float:
        return statistics.median(self.paces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A server with its crowd: what it is to do for so many events, and what it has cost."""

    name: str
    crowd: Crowd
    tell: Callable[[int], object]
    tell_slowly: Callable[[int], Sequence[float] | None]
    cpu_s: Callable[[], float]
    share: float = 1.0
    is_timed: bool = True


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fanout", description=__doc__)
    parser.add_argument("--crowds", type=int, nargs="*", help="how many follow (100 1000 5000)")
    parser.add_argument("--rounds", type=int, help="of throughput, in turn (3)")
    parser.add_argument("--quick", action="store_true", help="a look in a minute")
    given = parser.parse_args()
    size = Size(
        crowds=given.crowds or ([100] if given.quick else [100, 1000, 5000]),
        rounds=given.rounds or (1 if given.quick else 3),
        deliveries=QUICK_DELIVERIES if given.quick else DELIVERIES,
        latency_s=2 if given.quick else 5,
    )
    most = raise_file_limit() - SPARE_FILES
    forms: tuple[tuple[str, tuple[Form, ...]], ...] = (
        ("WebSocket", ("websocket", "socket.io")),
        ("Server-sent events", ("sse",)),
    )
    peers = [peer for peer in catalogue.ALL if _is_had(peer)]
    for title, wanted in forms:
        for followers in size.crowds:
            print(f"\n{title}, {followers:,} followers")
            if followers > most:
                print(f"left out: this machine allows {most:,} open files")
                continue
            say(f"{title}, {followers:,} followers")
            beside = [peer for peer in peers if peer.form in wanted]
            found = measure(size, followers, beside, is_sse="sse" in wanted)
            print(_table(found))
            if followers == TARGET_CROWD:
                print(_verdicts(found), end="")


def measure(
    size: Size, followers: int, peers: Sequence[Peer], *, is_sse: bool
) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    with ExitStack() as stack:
        contenders = list(_ours(stack, followers, found, is_sse=is_sse, latency_s=size.latency_s))
        for peer in peers:
            say(f"opening those of {peer.name}")
            try:
                contenders.append(_theirs(stack, peer, followers, found))
            except (EOFError, TimeoutError, RuntimeError) as error:
                print(f"{peer.name} is left out: it does not take so many ({error!r}).")
        events = max(10, size.deliveries // followers)
        for number in range(size.rounds):
            say(f"throughput, round {number + 1}")
            for contender in list(contenders):
                with _left_out_where_it_fails(contender, contenders, found):
                    _burst(contender, max(10, int(events * contender.share)), found[contender.name])
        for contender in list(contenders):
            if contender.is_timed and followers <= MOST_LATENT_CROWD:
                say(f"latency of {contender.name}")
                with _left_out_where_it_fails(contender, contenders, found):
                    _slowly(contender, size.latency_s * EVENTS_A_SECOND, found[contender.name])
    return found


@contextmanager
def _left_out_where_it_fails(
    contender: Contender, contenders: list[Contender], found: dict[str, Figures]
) -> Iterator[None]:
    """A peer, that is: where we fail, there is nothing to compare."""
    try:
        yield
    except (EOFError, TimeoutError):
        if contender.crowd is contenders[0].crowd:
            raise
        print(f"{contender.name} is left out: it lost events.")
        contenders.remove(contender)
        del found[contender.name]


def _slowly(contender: Contender, events: int, figures: Figures) -> None:
    with contender.crowd.listening(events) as measured:
        posted = contender.tell_slowly(events)
    figures.latency = latency_of(measured.heard, posted)


def _burst(contender: Contender, events: int, figures: Figures) -> None:
    before_s = contender.cpu_s()
    with contender.crowd.listening(events) as measured:
        contender.tell(events)
    used_s = contender.cpu_s() - before_s
    figures.paces.append(pace_of(measured.heard))
    figures.cpu_us.append(used_s * 1_000_000 / measured.heard.deliveries)


def _ours(
    stack: ExitStack, followers: int, found: dict[str, Figures], *, is_sse: bool, latency_s: int
) -> Iterator[Contender]:
    say("opening those of AgentPipe")
    server = stack.enter_context(AgentPipe())
    many = stack.enter_context(crowd(followers))
    bridge = Bridge(server.port)
    bridge.say("Is it awake?")
    content = "x" * (FRAME_BYTES - _around(server.port))
    with _weighed(server.resident_bytes, followers) as figures:
        if is_sse:
            path = f"/api/realtime/stream?conversationId={bridge.conversation_id}"
            many.open(server.port, path, form="sse")
        else:
            many.open(server.port, bridge.path)
    found[OURS], found[OURS_SINGLY] = figures, Figures()

    def say_all(events: int, at_a_time: int) -> None:
        posts = [min(at_a_time, events - begun) for begun in range(0, events, at_a_time)]
        with ThreadPoolExecutor(POSTS_AT_ONCE) as posters:
            list(posters.map(lambda times: bridge.say(content, times=times), posts))

    def say_slowly(events: int) -> list[float]:
        posted = []
        for pause_s in paced(events, gap_s=1 / EVENTS_A_SECOND):
            time.sleep(pause_s)
            posted.append(time.time())
            bridge.say(content)
        return posted

    for name, at_a_time in ((OURS, POST_EVENTS), (OURS_SINGLY, 1)):
        yield Contender(
            name=name,
            crowd=many,
            tell=lambda events, at_a_time=at_a_time: say_all(events, at_a_time),  # type: ignore[misc]
            tell_slowly=say_slowly,
            cpu_s=lambda: cpu_s(server.pid),
            share=1.0 if at_a_time > 1 else 0.25,
            is_timed=at_a_time == 1,
        )


def _around(port: int) -> int:
    """What a frame has besides the content of its message."""
    bridge, content = Bridge(port), "x"
    with crowd(1) as one:
        one.open(port, bridge.path)
        with one.listening(1) as measured:
            bridge.say(content)
    return measured.heard.frame_bytes - len(content)


def _theirs(stack: ExitStack, peer: Peer, followers: int, found: dict[str, Figures]) -> Contender:
    told: Told = stack.enter_context(catalogue.started(peer))
    many = stack.enter_context(crowd(followers))
    with _weighed(told.resident_bytes, followers) as figures:
        many.open(told.port, _path(peer), form=peer.form, is_greeted=peer.is_greeted)
    found[peer.name] = figures

    def tell_slowly(events: int) -> None:
        told.tell(events=events, size=FRAME_BYTES, gap_s=1 / EVENTS_A_SECOND)

    return Contender(
        name=peer.name,
        crowd=many,
        tell=lambda events: told.tell(events=events, size=FRAME_BYTES),
        tell_slowly=tell_slowly,
        cpu_s=told.cpu_s,
        share=peer.share,
    )


def _path(peer: Peer) -> str:
    return "/socket.io/?EIO=4&transport=websocket" if peer.form == "socket.io" else "/"


@contextmanager
def _weighed(resident_bytes: Callable[[], int], followers: int) -> Iterator[Figures]:
    """What each of those who are opened meanwhile takes of memory."""
    figures, before = Figures(), resident_bytes()
    yield figures
    time.sleep(SETTLED_AFTER_S)
    figures.socket_bytes = (resident_bytes() - before) / followers


def _is_had(peer: Peer) -> bool:
    reason = peer.lacks()
    if reason:
        print(f"{peer.name} is left out: {reason}.")
    return reason is None


def _table(found: dict[str, Figures]) -> str:
    ours, singly = found[OURS].pace, found[OURS_SINGLY].pace
    head = ("", "deliveries a second", "ours is", "singly", "CPU of one", "p50", "p99", "memory")
    lines = [head]
    for name, figures in found.items():
        latency, taken = figures.latency, figures.socket_bytes
        is_peer = name not in (OURS, OURS_SINGLY)
        lines.append(
            (
                name,
                f"{figures.pace:,.0f} ({min(figures.paces):,.0f} to {max(figures.paces):,.0f})",
                f"{ours / figures.pace:.2f}" if is_peer else "",
                f"{singly / figures.pace:.2f}" if is_peer else "",
                f"{statistics.median(figures.cpu_us):.1f} us",
                f"{latency.p50:.1f} ms" if latency else "",
                f"{latency.p99:.1f} ms" if latency else "",
                f"{taken / 1000:.1f} kB" if taken is not None else "",
            )
        )
    return columns(lines)


def _verdicts(found: dict[str, Figures]) -> str:
    ours, latency = found[OURS], found[OURS_SINGLY].latency
    assert latency
    least = {catalogue.FLOOR: 0.5, catalogue.SOCKET_IO: 1.0}
    least |= {catalogue.SSE_STARLETTE: 1.0, catalogue.DJANGO_EVENTSTREAM: 1.0}
    checks = [
        (f"at least {share} of {name}", ours.pace >= share * found[name].pace)
        for name, share in least.items()
        if name in found
    ]
    checks.append(("p99 under 60 ms", latency.p99 < 60))
    if catalogue.FLOOR in found:
        assert ours.socket_bytes is not None
        checks.append(("at most 30 kB a socket", ours.socket_bytes <= 30_000))
    return "".join(f"{'met   ' if is_met else 'MISSED'}  {aim}\n" for aim, is_met in checks)


if __name__ == "__main__":
    main()
