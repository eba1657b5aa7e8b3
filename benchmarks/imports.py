"""A log of ordinary events through the door for files: how fast it is read, and in what memory.

    python -m benchmarks.imports
    python -m benchmarks.imports --megabytes 1000

The time runs from the answer to the upload to the end of the job. The memory is the highest of
the server, which imports in a thread of its own process and reads for search beside it.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.agentpipe_server import KEY, AgentPipe
from benchmarks.clients import HOST
from benchmarks.processes import resident_bytes

JOBS = "/api/projects/default/ingest/jobs"
MESSAGES_EACH = 50
LOOKED_EVERY_S = 0.5
MB = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=50)
    size = parser.parse_args().megabytes * MB
    with tempfile.TemporaryDirectory() as folder, AgentPipe() as server:
        log = Path(folder, "events.jsonl")
        events = write_log(log, size)
        before = peak = resident_bytes(server.pid)
        job = send(server.port, log)
        began = time.perf_counter()
        while (found := look(server.port, job))["status"] in {"queued", "running"}:
            peak = max(peak, resident_bytes(server.pid))
            time.sleep(LOOKED_EVERY_S)
        took_s = time.perf_counter() - began
        if found["new"] != events:
            raise RuntimeError(f"{events} events were sent, and this is what came of them: {found}")
    print(f"{size / MB:.0f} MB, {events} events: {took_s:.1f} s")
    print(f"  {size / MB / took_s:.2f} MB/s, {events / took_s:.0f} events/s")
    print(f"  memory {before / MB:.0f} MB before, at most {peak / MB:.0f} MB")


def write_log(path: Path, size: int) -> int:
    """Conversations one after another, as a tool logs them; says how many events there are."""
    chance = random.Random(1)
    count = written = 0
    with path.open("w") as file:
        while written < size:
            for event in conversation(chance):
                written += file.write(json.dumps(event) + "\n")
                count += 1
    return count


def conversation(chance: random.Random) -> Iterator[dict[str, Any]]:
    about = {"conversation_id": str(UUID(int=chance.getrandbits(128)))}
    who = {"agent_id": "a-1", "agent_type": "claude"}
    yield event("conversation.started", about, initial_prompt="Build", agents=[who])
    for number in range(1, MESSAGES_EACH + 1):
        yield event(
            "message.created",
            about,
            **who,
            message_id=str(UUID(int=chance.getrandbits(128))),
            agent_name="Ada",
            content="stone upon stone " * chance.randint(1, 60),
            sequence_number=number,
            tokens_used=chance.randint(1, 500),
            cost=chance.randint(1, 500) / 10_000,
        )
        if number % 10 == 0:
            yield event("log.entry", about, level="info", content=f"line {number}")
    yield event("conversation.completed", about, status="completed")


def event(kind: str, about: dict[str, str], **data: Any) -> dict[str, Any]:
    return {"type": kind, "timestamp": "2026-11-21T10:00:00Z", "data": about | data}


def send(port: int, log: Path) -> str:
    connection = HTTPConnection(HOST, port, timeout=300)
    headers = {
        "Authorization": f"Bearer {KEY}",
        "Content-Type": "application/x-ndjson",
        "Content-Length": str(log.stat().st_size),
    }
    with log.open("rb") as file:
        connection.request("POST", JOBS, file, headers)
        job: str = json.load(connection.getresponse())["job"]["id"]
    connection.close()
    return job


def look(port: int, job: str) -> dict[str, Any]:
    connection = HTTPConnection(HOST, port, timeout=60)
    connection.request("GET", f"{JOBS}/{job}", headers={"Authorization": f"Bearer {KEY}"})
    found: dict[str, Any] = json.load(connection.getresponse())["job"]
    connection.close()
    return found


if __name__ == "__main__":
    main()
