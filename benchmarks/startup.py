"""From the command to the first 200 of /readyz: `python -m benchmarks.startup`."""

import argparse
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.agentpipe_server import AgentPipe
from benchmarks.clients import HOST
from benchmarks.report import Row, say, table

READY_WITHIN_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    times = parser.parse_args().times
    first: list[float] = []
    again: list[float] = []
    memory: list[int] = []
    for number in range(times):
        say(f"start {number + 1}")
        with tempfile.TemporaryDirectory(prefix="agentpipe-benchmark-") as folder:
            Path(folder).chmod(0o711)
            first.append(_ready_after_s(Path(folder)))
            again.append(_ready_after_s(Path(folder), memory))
    rows = [
        Row(figure="first start: PostgreSQL is made, all migrations", ours=_seconds(first)),
        Row(figure="second start", ours=_seconds(again)),
        Row(figure="memory then", ours=f"{statistics.median(memory) / 1_000_000:.0f} MB"),
    ]
    print(table(rows))


def _ready_after_s(folder: Path, memory: list[int] | None = None) -> float:
    began = time.monotonic()
    with AgentPipe(AGENTPIPE_DATA_DIR=str(folder)) as server:
        while time.monotonic() < began + READY_WITHIN_S:
            try:
                urllib.request.urlopen(f"http://{HOST}:{server.port}/readyz").close()
            except urllib.error.HTTPError:
                time.sleep(0.05)
            else:
                took_s = time.monotonic() - began
                if memory is not None:
                    memory.append(server.resident_bytes())
                return took_s
    raise RuntimeError("It was not ready in time")


def _seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} s ({min(values):.1f} to {max(values):.1f})"


if __name__ == "__main__":
    main()
