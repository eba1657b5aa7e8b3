"""Pages of a long conversation, and of a long list: by cursor, beside numbered pages.

A numbered page is OFFSET, and counts all there is. The pages take turns, so that what else the
machine does falls on all of them.
"""

import argparse
import statistics
import time
from collections.abc import Iterable
from http.client import HTTPConnection
from urllib.parse import urlencode

from benchmarks.agentpipe_server import KEY, AgentPipe
from benchmarks.clients import HOST
from benchmarks.corpus import add_conversations, connected

MESSAGES = 1_000_000
CONVERSATIONS = 100_000
SIZE = 20
ALLOWED_RATIO = 1.5
PLACES = (0.001, 0.1, 0.5, 0.9, 0.999)

Query = dict[str, object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--conversations", type=int, default=CONVERSATIONS)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with AgentPipe() as server:
        with connected(server) as database:
            names = [f"short-{number}" for number in range(options.conversations)]
            add_conversations(database, *names, messages=1)
            add_conversations(database, "long", messages=options.messages)
        api = Api(server.port)
        messages = f"{options.messages:,} messages of one conversation"
        path = "/api/conversations/long/messages"
        ids = [f"long-{int(options.messages * place)}" for place in PLACES]
        report(messages, api.measured(path, options.messages, ids, options.rounds))
        # Newest first: the last of the names is the first of the list.
        names = [names[int(options.conversations * (1 - place))] for place in PLACES]
        for filters in ({}, {"status": "ERROR"}, {"source": "cli"}, {"agent": "a-7"}):
            what = f"{options.conversations:,} conversations {urlencode(filters)}"
            found = api.measured(
                "/api/conversations", options.conversations, names, options.rounds, **filters
            )
            report(what, found)
        api.connection.close()


class Api:
    """One connection that stays open: what is measured is the server's part."""

    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection(HOST, port, timeout=60)

    def measured(
        self, path: str, count: int, ids: Iterable[str], rounds: int, **filters: str
    ) -> dict[str, list[float]]:
        """Milliseconds of each round, by page; a first round warms up and does not count."""
        pages: dict[str, Query] = {"first page": {"after": ""}}
        for place, public_id in zip(PLACES, ids, strict=True):
            pages[f"after {place:.1%}"] = {"after": public_id}
            pages[f"before {place:.1%}"] = {"before": public_id}
        for place in (0, 0.5, 0.999):
            pages[f"OFFSET {place:.1%}"] = {"page": 1 + int(count * place / SIZE)}
        found: dict[str, list[float]] = {name: [] for name in pages}
        for number in range(rounds + 1):
            for name, query in pages.items():
                took = self.timed(path, {**query, **filters, "page_size": SIZE})
                if number:
                    found[name].append(took)
        return found

    def timed(self, path: str, query: Query) -> float:
        began = time.perf_counter()
        self.connection.request(
            "GET", f"{path}?{urlencode(query)}", headers={"Authorization": f"Bearer {KEY}"}
        )
        answer = self.connection.getresponse()
        said = answer.read()
        took = 1000 * (time.perf_counter() - began)
        if answer.status != 200:
            raise RuntimeError(f"The server answered {answer.status}: {said[:500]!r}")
        return took


def report(what: str, found: dict[str, list[float]]) -> None:
    print(f"\n{what}, {SIZE} a page", flush=True)
    first = statistics.median(found["first page"])
    worst = 0.0
    for name, times in found.items():
        ratio = statistics.median(times) / first
        if not name.startswith("OFFSET"):
            worst = max(worst, ratio)
        print(f"  {name:16} median {statistics.median(times):7.1f} ms  {ratio:6.2f}")
    print(f"  slowest by cursor {worst:.2f} of the first page (at most {ALLOWED_RATIO} is the aim)")


if __name__ == "__main__":
    main()
