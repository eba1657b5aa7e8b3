"""A session of 10,000 messages over HTTP, beside bare pydantic and COPY doing it by themselves.

The peer reads the same JSON with a model of the same fields, and copies the rows into a table with
the columns and indexes of ours, in the same database and in turns with it. A turn begins when the
server has indexed the last one's messages for search: that comes after the answer, takes longer
than the upload, and would be measured as a part of whatever runs beside it.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any

import psycopg
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agentpipe.embedded import address
from benchmarks.agentpipe_server import KEY, AgentPipe
from benchmarks.clients import HOST

MESSAGES = 10_000
ROUNDS = 5
ALLOWED_RATIO = 2.5
INDEXED_WITHIN_S = 120
START = "2026-11-21T10:00:00Z"
COLUMNS = (
    "id, project_id, conversation_id, public_id, agent_id, agent_name, agent_type, agent_version,"
    " role, content, timestamp, sequence_number, model, duration_ms, input_tokens, output_tokens,"
    " total_tokens, cost, status, metadata, created_at"
)


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class Metrics(Camel):
    duration: int | None = Field(None, gt=0)
    input_tokens: int | None = Field(None, ge=0)
    output_tokens: int | None = Field(None, ge=0)
    total_tokens: int | None = Field(None, ge=0)
    model: str | None = Field(None, min_length=1)
    cost: float | None = Field(None, ge=0)


class Message(Camel):
    agent_id: str = Field(min_length=1)
    agent_name: str = Field(min_length=1)
    agent_type: str = Field(min_length=1)
    content: str = Field(min_length=1, max_length=100_000)
    role: str
    timestamp: datetime
    metrics: Metrics


class Session(Camel):
    messages: list[Message] = Field(max_length=MESSAGES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    body = session_of(MESSAGES)
    with AgentPipe() as server:
        where = address(server.data_dir)
        with psycopg.connect(
            host=where["HOST"], port=where["PORT"], user=where["USER"], dbname=where["NAME"]
        ) as connection:
            connection.execute(
                "CREATE TABLE bare"
                " (LIKE conversations_message INCLUDING DEFAULTS INCLUDING INDEXES)"
            )
            connection.commit()
            contenders: dict[str, Callable[[], None]] = {
                "bare pydantic + COPY": lambda: copy_bare(connection, body),
                "AgentPipe, over HTTP": lambda: upload(server.port, body),
            }
            found = measured(contenders, lambda: await_index(connection), rounds=rounds)
            report(found, size=len(body), rounds=rounds)


def session_of(count: int) -> bytes:
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnop", k=7)) for _ in range(2_000)]
    return json.dumps(
        {
            "session": {
                "name": "Benchmark",
                "mode": "round-robin",
                "initialPrompt": "How fast is it?",
                "status": "COMPLETED",
                "startedAt": START,
            },
            "participants": [{"agentId": "a", "agentType": "claude", "agentName": "Ada"}],
            "messages": [
                {
                    "agentId": "a",
                    "agentName": "Ada",
                    "agentType": "claude",
                    "content": " ".join(chance.choices(words, k=128)),
                    "role": "agent",
                    "timestamp": START,
                    "metrics": {
                        "duration": 900,
                        "inputTokens": 100,
                        "outputTokens": 200,
                        "totalTokens": 300,
                        "model": "opus",
                        "cost": 0.00125,
                    },
                }
                for _ in range(count)
            ],
        }
    ).encode()


def measured(
    contenders: dict[str, Callable[[], None]], rest: Callable[[], None], *, rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of each round; a first round of each warms up and does not count."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(rounds + 1):
        for name, run in contenders.items():
            rest()
            began = time.perf_counter()
            run()
            if round_:
                found[name].append((time.perf_counter() - began) * 1000)
    return found


def await_index(connection: psycopg.Connection[Any]) -> None:
    deadline = time.monotonic() + INDEXED_WITHIN_S
    while connection.execute("SELECT FROM conversations_unindexed LIMIT 1").rowcount:
        connection.commit()
        if time.monotonic() > deadline:
            raise RuntimeError("What was uploaded is not indexed")
        time.sleep(0.1)
    connection.commit()


def copy_bare(connection: psycopg.Connection[Any], body: bytes) -> None:
    session = Session.model_validate_json(body)
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        start = cursor.execute("SELECT coalesce(max(id), 0) FROM bare").fetchone()
        assert start is not None
        with cursor.copy(f"COPY bare ({COLUMNS}) FROM STDIN") as copy:
            for place, said in enumerate(session.messages, start=1):
                key = start[0] + place
                sums = said.metrics
                who = said.agent_id, said.agent_name, said.agent_type, "", said.role
                tokens = sums.input_tokens, sums.output_tokens, sums.total_tokens
                what = said.content, said.timestamp, place, sums.model, sums.duration
                rest = sums.cost, "completed", "{}", now
                copy.write_row((key, 1, 1, f"c{key:024}", *who, *what, *tokens, *rest))
    connection.commit()


def upload(port: int, body: bytes) -> None:
    connection = HTTPConnection(HOST, port, timeout=60)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connection.request("POST", "/api/sessions/upload", body, headers)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    if answer.status != 201:
        raise RuntimeError(f"The server answered {answer.status}: {said[:500]!r}")


def report(found: dict[str, list[float]], *, size: int, rounds: int) -> None:
    print(f"{MESSAGES} messages, {size / 2**20:.1f} MiB, {rounds} rounds in turns")
    for name, times in found.items():
        print(f"  {name:24} median {statistics.median(times):6.0f} ms  best {min(times):6.0f} ms")
    bare, ours = (statistics.median(times) for times in found.values())
    print(f"  ratio {ours / bare:.2f} (at most {ALLOWED_RATIO} is the aim)")


if __name__ == "__main__":
    main()
