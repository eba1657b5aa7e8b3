"""The export of a long conversation: when it begins, how fast it comes, what the server holds.

Each form is read for half a minute, and then left, or with `--whole` to its end.
"""

import argparse
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

from benchmarks.agentpipe_server import KEY, AgentPipe
from benchmarks.clients import HOST
from benchmarks.corpus import add_conversations, connected

MESSAGES = 1_000_000
FORMATS = ("json", "jsonl", "csv", "markdown", "html")
BEGINS_WITHIN_MS = 200
HOLDS_LESS_THAN_MB = 50
READ_FOR_S = 30
LOOKED_AT_EVERY_S = 0.02
PIECE = 256 * 1024
MB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    within_s = math.inf if options.whole else READ_FOR_S
    with AgentPipe() as server:
        with connected(server) as database:
            add_conversations(database, "short", messages=1_000)
            add_conversations(database, "long", messages=options.messages)
        for name in FORMATS:
            download(server.port, "short", name, within_s=within_s)  # warms up
        print(f"{options.messages:,} messages of one conversation")
        for name in options.formats:
            with peak_of(server) as peak:
                begun_ms, took_s, size = download(server.port, "long", name, within_s=within_s)
            is_met = begun_ms < BEGINS_WITHIN_MS and peak.more < HOLDS_LESS_THAN_MB * MB
            aim = (
                f"{BEGINS_WITHIN_MS} ms, {HOLDS_LESS_THAN_MB} MB: {'met' if is_met else 'NOT MET'}"
            )
            print(
                f"  {name:9} begins after {begun_ms:5.0f} ms, holds {peak.more / MB:5.1f} MB more,"
                f" {size / MB:6.0f} MB in {took_s:5.1f} s"
                f" (aim {aim})",
                flush=True,
            )


def download(
    port: int, conversation: str, form: str, *, within_s: float
) -> tuple[float, float, int]:
    """Milliseconds to the first byte, seconds to the last that was read, and how many."""
    connection = HTTPConnection(HOST, port, timeout=60)
    began = time.perf_counter()
    path = f"/api/conversations/{conversation}/export?format={form}"
    connection.request("GET", path, headers={"Authorization": f"Bearer {KEY}"})
    answer = connection.getresponse()
    size = len(answer.read(1))
    begun_ms = 1000 * (time.perf_counter() - began)
    while time.perf_counter() - began < within_s and (piece := answer.read(PIECE)):
        size += len(piece)
    took_s = time.perf_counter() - began
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"The server answered {answer.status}")
    return begun_ms, took_s, size


class Peak:
    """The largest size that was seen of a server, beyond what it had at first."""

    def __init__(self, at_first: int) -> None:
        self.at_first = self.most = at_first

    @property
    def more(self) -> int:
        return self.most - self.at_first


@contextmanager
def peak_of(server: AgentPipe) -> Iterator[Peak]:
    peak = Peak(server.resident_bytes())
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(LOOKED_AT_EVERY_S):
            peak.most = max(peak.most, server.resident_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield peak
    finally:
        is_over.set()
        looking.join()


if __name__ == "__main__":
    main()
