"""Single events into one web server, and into two of them over one PostgreSQL and one Redis.

Both take the same 32 connections from the same two generators, in turns. Where the cores are fewer
than the processes that want them, a second server cannot be worth one more, and the last line says
how many there are.
"""

import os
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from benchmarks import posting
from benchmarks.agentpipe_server import KEY, AgentPipe, Bridge
from benchmarks.posting import Answered, Post
from benchmarks.processes import Child, cpu_s, percentile
from benchmarks.redis_server import redis_server

ROUNDS = 5
SECONDS = 5.0
CONNECTIONS = 32
SIZE = 300
SECRET = "the same for both, as it has to be for all of a site"


class Round(NamedTuple):
    events_a_second: float
    p99_ms: float
    cpu_ms: float


def main() -> None:
    with ExitStack() as stack:
        common = {
            "REDIS_URL": stack.enter_context(redis_server()),
            "AGENTPIPE_SECRET_KEY": SECRET,
        }
        first = stack.enter_context(AgentPipe(**common))
        second = stack.enter_context(
            AgentPipe("--no-worker", **common, DATABASE_URL=first.database_url)
        )
        names = [Bridge(first.port).conversation_id for _ in range(CONNECTIONS)]
        halves = [names[::2], names[1::2]]
        generators = [Child(posting.main) for _ in halves]
        for generator in generators:
            stack.callback(generator.stop)
        contenders = {"one web server": [first, first], "two web servers": [first, second]}
        rounds: dict[str, list[Round]] = {name: [] for name in contenders}
        _post(generators, contenders["two web servers"], halves, seconds=1.0)
        for _ in range(ROUNDS):
            for name, servers in contenders.items():
                rounds[name].append(_round(generators, servers, halves))
    _report(rounds)


def _round(
    generators: Sequence[Child], servers: Sequence[AgentPipe], halves: Sequence[Sequence[str]]
) -> Round:
    pids = {server.pid for server in servers}
    before = sum(map(cpu_s, pids))
    answers = _post(generators, servers, halves, seconds=SECONDS)
    used_s = sum(map(cpu_s, pids)) - before
    waits = [wait * 1000 for answered in answers for wait in answered.waits_s]
    return Round(
        events_a_second=sum(len(answered.waits_s) / answered.took_s for answered in answers),
        p99_ms=percentile(waits, 0.99),
        cpu_ms=used_s * 1000 / len(waits),
    )


def _post(
    generators: Sequence[Child],
    servers: Sequence[AgentPipe],
    halves: Sequence[Sequence[str]],
    *,
    seconds: float,
) -> list[Answered]:
    for generator, server, names in zip(generators, servers, halves, strict=True):
        generator.tell(
            Post(
                port=server.port,
                key=KEY,
                conversations=names,
                events_each=1,
                seconds=seconds,
                size=SIZE,
            )
        )
    return [generator.hear(within_s=seconds + 60) for generator in generators]


def _report(rounds: dict[str, list[Round]]) -> None:
    rates = {}
    for name, those in rounds.items():
        each = [one.events_a_second for one in those]
        rates[name] = statistics.median(each)
        print(
            f"  {name:16} {rates[name]:7,.0f} events/s ({min(each):,.0f} to {max(each):,.0f})"
            f"  p99 {statistics.median(one.p99_ms for one in those):5.1f} ms"
            f"  CPU of the servers {statistics.median(one.cpu_ms for one in those):.2f} ms an event"
        )
    ratio = rates["two web servers"] / rates["one web server"]
    print(f"  two take {ratio:.2f} times what one takes, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
