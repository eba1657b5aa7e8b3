"""Answers of many runs at once, from the agent to the client: `python -m benchmarks.runs`."""

import argparse
import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import answers, answers_floor
from benchmarks.agentpipe_server import AgentPipe
from benchmarks.answers import Answer, Follow, Heard, numbered
from benchmarks.clients import HOST
from benchmarks.processes import (
    Child,
    children,
    cpu_s,
    family_cpu_s,
    percentile,
    running,
    sampling,
    threads,
)
from benchmarks.report import Row, table

PIECES_A_SECOND = 50
LONE_RUNS = 20
LONE_S = 1
WARM_RUNS = 10
# In which all have begun: each is asked over HTTP, and followed.
RAMP_S = 40
MOST_MS = 250
MOST_LONE_MS = 60
MOST_FIRST_MS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What each had used of a core at a moment of the wall clock, in seconds."""

    at: float
    server_s: float
    database_s: float
    client_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the machine did meanwhile: seconds of a core by and by, and the most of the rest."""

    readings: list[Reading]
    bytes: int
    threads: int
    connections: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="at once")
    parser.add_argument("--seconds", type=int, default=10, help="in which all of them stream")
    given = parser.parse_args()
    with AgentPipe() as server, running(answers.main) as crowd, running(answers_floor.main) as peer:
        rows = [
            *lone(server, crowd),
            *crowded(server, crowd, runs=given.runs, seconds=given.seconds),
            *beside(peer, crowd, runs=given.runs, seconds=given.seconds),
        ]
    print(table(rows))


def lone(server: AgentPipe, crowd: Child) -> Iterator[Row]:
    """One run after another, and nothing else."""
    ask(server, crowd, runs=WARM_RUNS, seconds=LONE_S)
    found = [ask(server, crowd, runs=1, seconds=LONE_S)[0] for _ in range(LONE_RUNS)]
    starts = [(one.started_at - one.asked_at) * 1000 for one in found]
    firsts = [(one.pieces[0][2] - one.pieces[0][1]) * 1000 for one in found]
    delays = [delay for one in found for delay in delays_ms(one)]
    yield Row(figure="one run: POST to start, p50", ours=ms(percentile(starts, 0.5)))
    yield Row(
        figure="  first piece to client, p50 and worst",
        ours=f"{ms(percentile(firsts, 0.5))}, {ms(max(firsts))}",
        target=f"< {MOST_FIRST_MS} ms",
        is_met=max(firsts) < MOST_FIRST_MS,
    )
    yield delay_row("  piece to client", delays, most_ms=MOST_LONE_MS)


def crowded(server: AgentPipe, crowd: Child, *, runs: int, seconds: int) -> Iterator[Row]:
    """Delays are those from when all have begun until the first ends, and so is what it takes."""
    with spending(server, crowd) as spent:
        found = ask(server, crowd, runs=runs, seconds=seconds + RAMP_S)
    begun_at, over_at = window(found)
    if over_at < begun_at + seconds:
        raise RuntimeError(
            f"The last run began {begun_at - found[0].asked_at:.0f} s after the first"
        )
    used = spent()
    starts = [(one.started_at - one.asked_at) * 1000 for one in found]
    delays = [delay for one in found for delay in delays_ms(one, begun_at, over_at)]
    events = sum(len(one.pieces) for one in found)
    yield Row(
        figure=f"{runs} runs: POST to start, p50 and worst",
        ours=f"{ms(percentile(starts, 0.5))}, {ms(max(starts))}",
    )
    yield delay_row(f"  piece to client, {over_at - begun_at:.0f} s", delays, most_ms=MOST_MS)
    yield Row(figure="  pieces in an event", ours=f"{pieces_of(found) / events:.1f}")
    first, *_, last = [one for one in used.readings if begun_at <= one.at <= over_at]
    thousands = pieces_of(found, first.at, last.at) / 1000
    for name, busy_s in (
        ("CPU of 1,000 pieces", last.server_s - first.server_s),
        ("CPU of PostgreSQL", last.database_s - first.database_s),
        ("CPU of the clients", last.client_s - first.client_s),
    ):
        yield Row(figure=f"  {name}", ours=ms(busy_s * 1000 / thousands))
    first, last = used.readings[0], used.readings[-1]
    yield Row(
        figure="  with asking and opening",
        ours=ms((last.server_s - first.server_s) * 1_000_000 / pieces_of(found)),
    )
    yield Row(figure="  memory of a run", ours=f"{used.bytes / runs / 1000:.0f} kB")
    yield Row(figure="  most threads", ours=str(used.threads))
    yield Row(figure="  most processes of PostgreSQL", ours=str(used.connections))


def beside(peer: Child, crowd: Child, *, runs: int, seconds: int) -> Iterator[Row]:
    """The same from memory, by a server that knows nothing else."""
    port = peer.hear(within_s=60)
    path = f"/{seconds * PIECES_A_SECOND}/{PIECES_A_SECOND}"
    before_s = peer.ask("time", within_s=60)
    heard = follow(crowd, Follow(port=port, paths=[path] * runs))
    busy_s = peer.ask("time", within_s=60) - before_s
    delays = [delay for one in heard.answers for delay in delays_ms(one)]
    yield delay_row("floor: piece to client", delays)
    yield Row(
        figure="  CPU of 1,000 pieces", ours=ms(busy_s * 1_000_000 / pieces_of(heard.answers))
    )


def ask(server: AgentPipe, crowd: Child, *, runs: int, seconds: int) -> list[Answer]:
    """Raises RuntimeError where an answer is not whole, or not in order."""
    pieces = seconds * PIECES_A_SECOND
    script = [{"say": numbered(pieces), "pieces": pieces, "every_ms": 1000 / PIECES_A_SECOND}]
    question = {"content": "How fast?", "metadata": {"script": script}}
    paths = [f"/api/chats/{open_chat(server.port)}/messages" for _ in range(runs)]
    heard = follow(crowd, Follow(port=server.port, paths=paths, question=question))
    for answer in heard.answers:
        if not answer.is_in_order or answer.text != numbered(pieces):
            raise RuntimeError(f"This is not what was said: {answer}")
    return heard.answers


def follow(crowd: Child, wanted: Follow) -> Heard:
    heard: Heard = crowd.ask(wanted, within_s=answers.FOLLOWED_WITHIN_S + 10)
    return heard


def open_chat(port: int) -> str:
    request = urllib.request.Request(
        f"http://{HOST}:{port}/api/users/benchmark/chats",
        data=json.dumps({"title": "Speed", "agent_id": "scripted"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        chat_id: str = json.load(answer)["chat_id"]
        return chat_id


def delays_ms(answer: Answer, since: float = 0, until: float = float("inf")) -> Iterator[float]:
    """Of each piece, from when its agent had it to say until the client had it.

    The agent says its pieces by the clock: one that it gets to say late is late, whoever's fault.
    """
    due_at = answer.first_piece_at
    for count, _, here_at in answer.pieces:
        for _ in range(count):
            if since <= due_at <= until:
                yield (here_at - due_at) * 1000
            due_at += 1 / PIECES_A_SECOND


def window(found: Sequence[Answer]) -> tuple[float, float]:
    return max(one.first_piece_at for one in found), min(one.pieces[-1][1] for one in found)


def delay_row(figure: str, delays: Sequence[float], *, most_ms: float | None = None) -> Row:
    p99 = percentile(delays, 0.99)
    return Row(
        figure=f"{figure}, p50 and p99",
        ours=f"{ms(percentile(delays, 0.5))}, {ms(p99)}",
        target=f"< {most_ms} ms" if most_ms else "",
        is_met=p99 < most_ms if most_ms else None,
    )


def pieces_of(found: Sequence[Answer], since: float = 0, until: float = float("inf")) -> int:
    return sum(
        count for one in found for count, _, here_at in one.pieces if since <= here_at <= until
    )


@contextmanager
def spending(server: AgentPipe, crowd: Child) -> Iterator[Callable[[], Spent]]:
    """Ask what it was when the context has ended."""
    postmaster = int(next(server.data_dir.rglob("postmaster.pid")).read_text().split()[0])
    bytes_before = server.resident_bytes()

    def read() -> Reading:
        return Reading(
            at=time.time(),
            server_s=cpu_s(server.pid),
            database_s=family_cpu_s(postmaster),
            client_s=cpu_s(crowd.pid),
        )

    with (
        sampling(read) as readings,
        sampling(server.resident_bytes) as held,
        sampling(lambda: threads(server.pid)) as counted,
        sampling(lambda: len(children(postmaster))) as connected,
    ):
        yield lambda: Spent(
            readings=readings,
            bytes=max(held) - bytes_before,
            threads=max(counted),
            connections=max(connected),
        )


def ms(value: float) -> str:
    return f"{value:.1f} ms"


if __name__ == "__main__":
    main()
