"""Servers killed in the middle of an import: what they leave behind is as if none had been.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long).
"""

import json
import os
import random
import time
import urllib.request
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.servers import KEY, Server

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
MEGABYTES = 200 if IS_LONG else 1
KILLS = 5 if IS_LONG else 1
WITHIN_S = 1_500 if IS_LONG else 150
JOBS = "/api/projects/default/ingest/jobs"

pytestmark = [pytest.mark.timeout(3_600 if IS_LONG else 600), pytest.mark.processes]

# All that an import leaves, without what is made by chance or by the clock of the import.
ROWS = {
    "conversations": "SELECT public_id, name, status, total_messages, total_tokens, total_cost,"
    " total_duration_ms, last_sequence_number, completed_at FROM conversations_conversation",
    "messages": "SELECT c.public_id, m.public_id, m.content, m.timestamp, m.sequence_number,"
    " m.total_tokens, m.cost FROM conversations_message m"
    " JOIN conversations_conversation c ON c.id = m.conversation_id",
    "raw events": "SELECT c.public_id, r.kind, r.timestamp, r.data::text"
    " FROM conversations_rawevent r LEFT JOIN conversations_conversation c"
    " ON c.id = r.conversation_id",
    "receipts": "SELECT encode(identity, 'hex'), '' FROM conversations_receipt",
    "totals": "SELECT unit, slot, agent_type, messages, total_tokens, cost"
    " FROM conversations_total",
    "read for search, or waiting for it": "SELECT c.public_id, m.public_id, count(*)"
    " FROM (SELECT conversation_id, message_id FROM conversations_unindexed UNION ALL"
    " SELECT conversation_id, message_id FROM conversations_searchdocument) w"
    " JOIN conversations_conversation c ON c.id = w.conversation_id"
    " LEFT JOIN conversations_message m ON m.id = w.message_id GROUP BY 1, 2",
    "told": "SELECT b.kind, count(*) FROM streaming_entry e JOIN streaming_eventbody b"
    " ON b.id = e.body_id WHERE b.kind NOT LIKE 'ingest.job.%' GROUP BY b.kind",
}
HOLES = "SELECT count(*) FROM streaming_topic t WHERE last_seq - first_seq + 1 <> (SELECT count(*)"
HOLES += " FROM streaming_entry e WHERE e.topic_id = t.id)"


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    made = [Server(is_local=False) for _ in ("calm", "troubled")]
    yield made
    for server in made:
        server.discard()


def test_an_import_among_kills_ends_as_one_in_peace(servers: list[Server], tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    write_log(log, megabytes=MEGABYTES)
    calm, troubled = servers
    calm.start()
    undisturbed = await_end(calm, send(calm, log))
    # Of two servers on two cores each is slower: the first has done its part.
    calm.kill()

    troubled.start()
    job = send(troubled, log)
    chance = random.Random(4)
    for kill in range(KILLS):
        await_progress(troubled, job, beyond=kill / (KILLS + 1) + chance.random() / 20)
        troubled.kill()
        troubled.start()
    disturbed = await_end(troubled, job)

    assert disturbed["status"] == undisturbed["status"] == "completed"
    for name in ("processed", "new", "known", "repaired", "failed", "errors"):
        assert disturbed[name] == undisturbed[name], name
    assert disturbed["failed"] == 1
    assert (disturbed["known"], disturbed["repaired"]) == (0, 0)
    for name, query in ROWS.items():
        both = zip_longest(rows(troubled, query), rows(calm, query))
        assert next((pair for pair in both if pair[0] != pair[1]), None) is None, name
    assert list(rows(troubled, HOLES)) == ["(0)"]
    assert list((troubled.folder / "imports").iterdir()) == []


def write_log(path: Path, *, megabytes: int) -> None:
    """Conversations of fifty messages, one after another, and the last line torn."""
    chance = random.Random(megabytes)
    number = 0
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            conversation = str(UUID(int=chance.getrandbits(128)))
            about = {"conversation_id": conversation}
            agents = [{"agent_id": "a-1", "agent_type": "claude", "name": "Ada"}]
            start = about | {"mode": "reactive", "initial_prompt": "Build", "agents": agents}
            events: list[tuple[str, dict[str, Any]]] = [("conversation.started", start)]
            for place in range(1, 51):
                message = {
                    "message_id": str(UUID(int=chance.getrandbits(128))),
                    "agent_id": "a-1",
                    "agent_type": "claude",
                    "content": "stone upon stone " * chance.randint(1, 60),
                    "sequence_number": place,
                    "tokens_used": chance.randint(1, 500),
                    "cost": chance.randint(1, 500) / 10_000,
                }
                events.append(("message.created", about | message))
                if place % 10 == 0:
                    events.append(("log.entry", about | {"content": f"line {place}"}))
            events.append(("conversation.completed", about | {"status": "completed"}))
            for kind, data in events:
                number += 1
                at = f"2026-11-{1 + number // 86_400 % 28:02}T{number // 3600 % 24:02}"
                at += f":{number // 60 % 60:02}:{number % 60:02}Z"
                json.dump({"type": kind, "timestamp": at, "data": data}, file)
                file.write("\n")
        file.write('{"type": "message.crea')


def send(server: Server, log: Path) -> str:
    with log.open("rb") as file:
        request = urllib.request.Request(
            server.url + JOBS,
            data=file,
            headers={
                "Authorization": f"Bearer {KEY}",
                "Content-Type": "application/x-ndjson",
                "Content-Length": str(log.stat().st_size),
            },
        )
        with urllib.request.urlopen(request) as answer:
            job: str = json.load(answer)["job"]["id"]
            return job


def look(server: Server, job: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{server.url}{JOBS}/{job}", headers={"Authorization": f"Bearer {KEY}"}
    )
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)["job"]
        return found


def await_progress(server: Server, job: str, *, beyond: float) -> None:
    deadline = time.monotonic() + WITHIN_S
    while look(server, job)["percentage"] <= 100 * beyond:
        assert time.monotonic() < deadline, look(server, job)
        time.sleep(0.01)


def await_end(server: Server, job: str) -> dict[str, Any]:
    """What it ends as; how soon it goes on after a kill, tests/agentpipe/test_rescue.py shows."""
    deadline = time.monotonic() + WITHIN_S
    while (found := look(server, job))["status"] in {"queued", "running"}:
        assert server.running
        assert time.monotonic() < deadline, (found, *server.running.said())
        time.sleep(0.02)
    return found


def rows(server: Server, query: str) -> Iterator[str]:
    """As texts, in their order, and never all of them in memory."""
    with psycopg.connect(server.database_url) as connection, connection.cursor("rows") as cursor:
        cursor.execute(f'SELECT r::text FROM ({query}) r ORDER BY r::text COLLATE "C"'.encode())
        for (row,) in cursor:
            yield row
