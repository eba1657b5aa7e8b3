"""Single events into one web server, and into two of them over one PostgreSQL and one Redis.

Both take the same 32 connections from the same two generators, in turns; each server has a worker
inside. Where the cores are fewer than the processes that want them, a second server cannot be worth
one more: the last lines say how many there are, and who had them.
"""

import argparse
import os
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from benchmarks import posting
from benchmarks.agentpipe_server import KEY, AgentPipe, Bridge
from benchmarks.posting import Answered, Post
from benchmarks.processes import Child, cpu_s, family_cpu_s, percentile
from benchmarks.redis_server import redis_server

ROUNDS = 5
SECONDS = 5.0
CONNECTIONS = 32
SIZE = 300
SECRET = "the same for both, as it has to be for all of a site"


ALLOWED_RATIO = 1.6
# Of two web servers, PostgreSQL, and those who load them.
CORES_FOR_ALL = 4


class Round(NamedTuple):
    events_a_second: float
    p99_ms: float
    cpu_ms: float
    # Of each party, how many cores it had.
    cores: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a round of two seconds each")
    is_quick = parser.parse_args().quick
    turns, seconds = (1, 2.0) if is_quick else (ROUNDS, SECONDS)
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        common = {"REDIS_URL": redis.url, "AGENTPIPE_SECRET_KEY": SECRET}
        first = stack.enter_context(AgentPipe(**common))
        second = stack.enter_context(AgentPipe(**common, DATABASE_URL=first.database_url))
        names = [Bridge(first.port).conversation_id for _ in range(CONNECTIONS)]
        halves = [names[::2], names[1::2]]
        generators = [Child(posting.main) for _ in halves]
        for generator in generators:
            stack.callback(generator.stop)
        parties: dict[str, Callable[[], float]] = {
            "web servers": lambda: cpu_s(first.pid) + cpu_s(second.pid),
            "PostgreSQL": lambda: family_cpu_s(first.postgres_pid),
            "generators": lambda: sum(cpu_s(generator.pid) for generator in generators),
            "Redis": lambda: cpu_s(redis.pid),
        }
        contenders = {"one web server": [first, first], "two web servers": [first, second]}
        rounds: dict[str, list[Round]] = {name: [] for name in contenders}
        _post(generators, contenders["two web servers"], halves, seconds=1.0)
        for _ in range(turns):
            for name, servers in contenders.items():
                rounds[name].append(_round(generators, servers, halves, parties, seconds))
    _report(rounds)


def _round(
    generators: Sequence[Child],
    servers: Sequence[AgentPipe],
    halves: Sequence[Sequence[str]],
    parties: dict[str, Callable[[], float]],
    seconds: float,
) -> Round:
    before = {name: used_s() for name, used_s in parties.items()}
    answers = _post(generators, servers, halves, seconds=seconds)
    used = {name: used_s() - before[name] for name, used_s in parties.items()}
    took_s = max(answered.took_s for answered in answers)
    waits = [wait * 1000 for answered in answers for wait in answered.waits_s]
    return Round(
        events_a_second=sum(len(answered.waits_s) / answered.took_s for answered in answers),
        p99_ms=percentile(waits, 0.99),
        cpu_ms=used["web servers"] * 1000 / len(waits),
        cores={name: used_s / took_s for name, used_s in used.items()},
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
    for name, those in rounds.items():
        had = ", ".join(
            f"{party} {statistics.median(one.cores[party] for one in those):.2f}"
            for party in those[0].cores
        )
        print(f"  cores with {name}: {had}")
    if ratio >= ALLOWED_RATIO:
        print(f"met     at least {ALLOWED_RATIO}")
    elif (os.cpu_count() or 1) < CORES_FOR_ALL:
        print(f"no say  at least {ALLOWED_RATIO}: it wants {CORES_FOR_ALL} cores, for all of them")
    else:
        print(f"MISSED  at least {ALLOWED_RATIO}")


if __name__ == "__main__":
    main()
