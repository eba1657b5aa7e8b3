"""Events over HTTP, beside a small server, pgbench and psql that write the same rows.

All write to one PostgreSQL, in turns: messages of known conversations, one for each connection, in
one project. AgentPipe is there twice: as it is, and with a transaction for each event.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from agentpipe.embedded import find_programs
from benchmarks import ingest_batches, ingest_floor, posting
from benchmarks.agentpipe_server import KEY, ROOT, AgentPipe, Bridge, free_port
from benchmarks.clients import HOST
from benchmarks.posting import Answered, Post
from benchmarks.processes import Child, cpu_s, percentile

SECONDS = 3.0
ROUNDS = 3
MOST = 32
FEW = 4
SIZE = 300
BATCH = 500
# What psql copies in a turn.
COPIED = 40_000
WARM_UP_S = 1.0
NAMES = [f"peer-{number}" for number in range(1, MOST + 1)]
OURS, SINGLY, STARLETTE = "AgentPipe", "AgentPipe, one a transaction", "Starlette + psycopg"
PGBENCH, PSQL = "pgbench", "psql copying rows"


@dataclass(slots=True)
class Figures:
    """What the rounds of one contender have shown."""

    events_a_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.events_a_second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where events are posted, and the process behind it."""

    port: int
    pid: int
    conversations: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """How often and how long everybody has a turn."""

    rounds: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn")
    parser.add_argument("--quick", action="store_true", help="a round of two seconds each")
    options = parser.parse_args()
    turns = Turns(
        rounds=1 if options.quick else options.rounds,
        seconds=2.0 if options.quick else options.seconds,
    )
    with ExitStack() as stack:
        # The index for search is written by a worker, some time after: nobody's turn has it.
        server = stack.enter_context(AgentPipe("--no-worker"))
        singly = stack.enter_context(
            AgentPipe(
                "--no-worker",
                program=("-m", "benchmarks.ungrouped"),
                DATABASE_URL=server.database_url,
            )
        )
        ours = [Bridge(server.port).conversation_id for _ in range(MOST)]
        with psycopg.connect(server.database_url) as connection:
            ingest_floor.lay_out(connection, NAMES)
        peer_port, peer_pid = stack.enter_context(_starlette(server.database_url))
        doors = {
            OURS: Door(port=server.port, pid=server.pid, conversations=ours),
            SINGLY: Door(port=singly.port, pid=singly.pid, conversations=ours),
            STARLETTE: Door(port=peer_port, pid=peer_pid, conversations=NAMES),
        }
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        generator = Child(posting.main)
        stack.callback(generator.stop)
        for door in doors.values():
            _post(generator, door, MOST, seconds=WARM_UP_S)
        bench = Bench(turns, generator, doors, server.database_url, folder)
        for connections in (1, FEW, MOST):
            bench.single(connections)
        bench.batches()


class Bench:
    def __init__(
        self,
        turns: Turns,
        generator: Child,
        doors: dict[str, Door],
        conninfo: str,
        folder: Path,
    ) -> None:
        self.turns = turns
        self.generator = generator
        self.doors = doors
        self.conninfo = conninfo
        self.folder = folder

    def single(self, connections: int) -> None:
        script = self.folder / "script.sql"
        script.write_text(ingest_floor.script())

        def pgbench() -> Round:
            return _pgbench(self.conninfo, script, connections, self.turns.seconds)

        found = self._in_turns(
            {**{name: self._posting(name, connections) for name in self.doors}, PGBENCH: pgbench}
        )
        _report(f"{connections} connections, one event a request", found)
        ours = found[OURS].rate
        aims = [(f"no slower than {SINGLY}", ours >= found[SINGLY].rate)]
        if connections == MOST:
            aims += [
                (f"at least 1.3 of {STARLETTE}", ours >= 1.3 * found[STARLETTE].rate),
                (f"at least 0.8 of {PGBENCH}", ours >= 0.8 * found[PGBENCH].rate),
            ]
        _judge(aims)

    def batches(self) -> None:
        found = self._in_turns(
            {
                **{name: self._posting(name, FEW, events_each=BATCH) for name in (OURS, STARLETTE)},
                PSQL: self._psql,
            }
        )
        _report(f"{FEW} connections, {BATCH} events a request", found)
        _judge([("at least 15,000 events a second", found[OURS].rate >= 15_000)])

    def _in_turns(self, contenders: "dict[str, Callable[[], Round]]") -> dict[str, Figures]:
        found = {name: Figures() for name in contenders}
        for _ in range(self.turns.rounds):
            for name, run in contenders.items():
                rate, waits_ms, cpu_ms = run()
                found[name].events_a_second.append(rate)
                found[name].cpu_ms.append(cpu_ms)
                if waits_ms:
                    found[name].p50_ms.append(percentile(waits_ms, 0.5))
                    found[name].p99_ms.append(percentile(waits_ms, 0.99))
        return found

    def _posting(
        self, name: str, connections: int, *, events_each: int = 1
    ) -> "Callable[[], Round]":
        door = self.doors[name]

        def post() -> Round:
            before = cpu_s(door.pid)
            answered = _post(
                self.generator,
                door,
                connections,
                seconds=self.turns.seconds,
                events_each=events_each,
            )
            events = len(answered.waits_s) * events_each
            used_ms = (cpu_s(door.pid) - before) * 1000 / events
            return events / answered.took_s, [wait * 1000 for wait in answered.waits_s], used_ms

        return post

    def _psql(self) -> "Round":
        scripts = [self.folder / f"copied-{number}.sql" for number in range(FEW)]
        for script in scripts:
            script.write_text(
                ingest_batches.psql_script(COPIED // FEW, a_transaction=BATCH, size=SIZE)
            )
        took_s = ingest_batches.run_psql(find_programs() / "psql", self.conninfo, scripts)
        return COPIED / took_s, [], 0.0


Round = tuple[float, list[float], float]


def _post(
    generator: Child, door: Door, connections: int, *, seconds: float, events_each: int = 1
) -> Answered:
    command = Post(
        port=door.port,
        key=KEY,
        conversations=door.conversations[:connections],
        events_each=events_each,
        seconds=seconds,
        size=SIZE,
    )
    answered = generator.ask(command, within_s=seconds + 60)
    assert isinstance(answered, Answered)
    return answered


def _pgbench(conninfo: str, script: Path, clients: int, seconds: float) -> Round:
    values = {
        "agent_id": "benchmark",
        "agent_type": "benchmark",
        "agent_name": "Benchmark",
        "role": "agent",
        "content": "x" * SIZE,
        "payload": "x" * (SIZE + 400),
    }
    said = subprocess.run(
        [
            str(find_programs() / "pgbench"),
            "--no-vacuum",
            "--protocol=prepared",
            f"--file={script}",
            f"--client={clients}",
            f"--time={seconds:.0f}",
            *(f"--define={name}={value}" for name, value in values.items()),
            conninfo,
        ],
        env={**os.environ, **ingest_floor.WITHIN_SCHEMA},
        capture_output=True,
        text=True,
    )
    found = re.search(r"tps = ([\d.]+)", said.stdout)
    if said.returncode or not found:
        raise RuntimeError(said.stderr or said.stdout)
    return float(found[1]), [], 0.0


@contextmanager
def _starlette(conninfo: str) -> Iterator[tuple[int, int]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ingest_server", str(port)],
        cwd=ROOT,
        env={**os.environ, **ingest_floor.WITHIN_SCHEMA, "CONNINFO": conninfo, "KEY": KEY},
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://{HOST}:{port}/", timeout=1)
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def _report(title: str, found: dict[str, Figures]) -> None:
    print(f"\n{title}")
    ours = found[OURS]
    for name, figures in found.items():
        line = f"  {name:28} {figures.rate:8,.0f} events/s"
        if figures.p50_ms:
            p50, p99 = statistics.median(figures.p50_ms), statistics.median(figures.p99_ms)
            cpu = statistics.median(figures.cpu_ms)
            line += f"  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  CPU {cpu:5.2f} ms an event"
        if name != OURS:
            line += f"  ours is {ours.rate / figures.rate:.2f} of it"
        print(line, flush=True)


def _judge(aims: Sequence[tuple[str, bool]]) -> None:
    for aim, is_met in aims:
        print(f"{'met   ' if is_met else 'MISSED'}  {aim}", flush=True)


if __name__ == "__main__":
    main()
