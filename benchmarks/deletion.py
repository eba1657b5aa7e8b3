"""The deletion of a long conversation, while others of its project go on being recorded.

The others' messages are of the same hours, agents and models, so that they are counted in the
totals that the deletion takes its own out of.
"""

import argparse
import json
import statistics
import threading
import time
import uuid
from http.client import HTTPConnection
from typing import Any

from benchmarks.agentpipe_server import KEY, AgentPipe
from benchmarks.clients import HOST
from benchmarks.corpus import START, add_conversations, add_traces, connected
from benchmarks.export import MB, peak_of

MESSAGES = 1_000_000
PAUSE_S = 0.02
BEFORE_S = 5
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
WITHIN_S = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    options = parser.parse_args()
    with AgentPipe() as server:
        with connected(server) as database:
            add_conversations(database, "long", messages=options.messages)
            add_traces(database)
        print(f"{options.messages:,} messages of one conversation", flush=True)
        others = Others(server.port)
        others.start()
        time.sleep(BEFORE_S)
        others.report("before")
        with peak_of(server) as peak:
            began = time.perf_counter()
            said = ask(server.port, "DELETE", "/api/conversations/long")
            took_s = time.perf_counter() - began
        others.report("meanwhile")
        others.stop()
        print(f"  deleted in {took_s:.1f} s, {peak.more / MB:.1f} MB more: {said['deleted']}")


class Others(threading.Thread):
    """Someone who says something all the time, in a conversation that stays."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.took_ms: list[float] = []
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(PAUSE_S):
            began = time.perf_counter()
            ask(self.port, "POST", "/api/ingest", message())
            self.took_ms.append(1000 * (time.perf_counter() - began))

    def report(self, when: str) -> None:
        took, self.took_ms = self.took_ms, []
        print(
            f"  messages of others {when}: {len(took)}, median {statistics.median(took):.0f} ms,"
            f" most {max(took):.0f} ms",
            flush=True,
        )

    def stop(self) -> None:
        self.is_over.set()
        self.join()


def message() -> dict[str, Any]:
    return {
        "type": "message.created",
        "timestamp": START.isoformat(),
        "data": {
            "conversation_id": "other",
            "message_id": str(uuid.uuid4()),
            "agent_id": "claude-1",
            "agent_type": "claude",
            "model": "opus",
            "content": "Stone upon stone",
        },
    }


def ask(port: int, method: str, path: str, body: object = None) -> Any:
    connection = HTTPConnection(HOST, port, timeout=WITHIN_S)
    connection.request(method, path, json.dumps(body) if body else None, HEADERS)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"The server answered {answer.status}: {said}")
    return said


if __name__ == "__main__":
    main()
