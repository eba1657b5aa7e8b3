"""All benchmarks one after the other, and RESULTS.md of what they print.

`python -m benchmarks.report` runs those below, with names only those, and with `--quick` a short
form that leaves RESULTS.md as it is. A benchmark prints its table; lines that start with `...` say
how far it is. Each replaces its own part of the page.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.processes import end_in_order

RESULTS = Path(__file__).with_name("RESULTS.md")
ROOT = RESULTS.parent.parent
PACKAGES = ("django", "channels", "uvicorn", "uvloop", "websockets", "psycopg", "picows")
PROGRESS = "..."
INTRODUCTION = """\
# Results

Written by `make bench`; [how they are measured](README.md). Servers, their peers, PostgreSQL and
those who load them share one machine: compare with the peer in the same table first, and look at
the load.
"""


@dataclass(frozen=True, slots=True)
class Benchmark:
    name: str
    title: str
    options: Sequence[str] = ()
    quick: Sequence[str] = ()


ALL = (
    Benchmark("fanout", "Fan-out and latency", quick=("--quick",)),
    Benchmark("slow", "Beside those who do not read", quick=("--quick",)),
    Benchmark("idle", "Idle sockets", quick=("--sockets", "1000")),
    Benchmark("reconnect", "All come back at once", quick=("--sockets", "500")),
    Benchmark("ingest", "Ingest", quick=("--quick",)),
    Benchmark("scale", "Two web servers", quick=("--quick",)),
    Benchmark("requests", "Plain requests", quick=("--quick",)),
    Benchmark("upload", "Upload", quick=("--rounds", "1")),
    Benchmark(
        "history",
        "History",
        options=("--messages", "500000", "--conversations", "50000"),
        quick=("--messages", "50000", "--conversations", "5000", "--times", "5"),
    ),
    Benchmark("runs", "Agents that stream", quick=("--runs", "20", "--seconds", "3")),
    Benchmark("startup", "Start-up", quick=("--times", "1")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a table: what was measured, beside the floor and the target."""

    figure: str
    ours: str
    floor: str = ""
    ratio: str = ""
    target: str = ""
    is_met: bool | None = None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument(
        "names", nargs="*", help="of the README; without, " + ", ".join(one.name for one in ALL)
    )
    parser.add_argument("--quick", action="store_true", help="a look in some minutes")
    given = parser.parse_args()
    known = {one.name: one for one in ALL}
    wanted = [known.get(name, Benchmark(name, name)) for name in given.names] or ALL
    end_in_order()
    failed = []
    for one in wanted:
        options = one.quick if given.quick else one.options
        if not run(one, options, is_kept=one in ALL and not given.quick):
            failed.append(one.name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def run(one: Benchmark, options: Sequence[str], *, is_kept: bool) -> bool:
    """Whether it came to its end. Only then is it kept."""
    print(f"\n## {one.title}", flush=True)
    began, load_before = time.monotonic(), os.getloadavg()[0]
    command = [sys.executable, "-m", f"benchmarks.{one.name}", *options]
    said = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                if not line.startswith(PROGRESS):
                    said.append(line.rstrip())
        except SystemExit:
            process.terminate()
            raise
    took_s = time.monotonic() - began
    if process.returncode == 0 and is_kept:
        about = (
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}, {took_s:.0f} s, "
            f"load {load_before:.1f} before and {os.getloadavg()[0]:.1f} after, {machine()}."
        )
        keep(one.title, f"{about}\n\n```text\n{chr(10).join(said).strip()}\n```")
    return process.returncode == 0


def keep(title: str, text: str) -> None:
    """Put a part in its place on the page."""
    written = RESULTS.read_text() if RESULTS.exists() else ""
    parts = dict(re.findall(r"^## (.+)\n\n((?:(?!^## ).*\n?)*)", written, re.M))
    parts[title] = text
    parts = {name: found.strip() for name, found in parts.items()}
    order = [one.title for one in ALL]
    page = "\n\n".join(f"## {name}\n\n{parts[name]}" for name in order if name in parts)
    RESULTS.write_text(f"{INTRODUCTION}\n{page}\n")


def machine() -> str:
    installed = ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name)))
    return (
        f"{os.cpu_count()} cores of {_processor()}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {installed}"
    )


def table(rows: Sequence[Row]) -> str:
    verdicts = {None: "", True: "met", False: "MISSED"}
    lines = [("figure", "ours", "floor", "ratio", "target", "")]
    lines += [
        (row.figure, row.ours, row.floor, row.ratio, row.target, verdicts[row.is_met])
        for row in rows
    ]
    return columns(lines)


def columns(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, in columns as wide as they need."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def say(what: str) -> None:
    print(f"{PROGRESS} {what}", flush=True)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ModuleNotFoundError:
        return None


def _commit() -> str:
    changed = _git("status", "--porcelain", "--", f":!{RESULTS.relative_to(ROOT)}")
    return (_git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def _git(*asked: str) -> str:
    said = subprocess.run(["git", *asked], cwd=ROOT, capture_output=True, text=True)
    return said.stdout.strip()


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", about.read_text(), re.M) if about.exists() else None
    return found[1] if found else platform.machine()


if __name__ == "__main__":
    main()
