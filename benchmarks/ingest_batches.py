"""The peers of batches: psql copying rows that are ready, and Starlette copying what it is sent.

Both write the same rows into the same tables as AgentPipe does. psql knows them beforehand: it
reads no JSON, looks for no message that is there already, numbers nothing and locks no topic.
"""

import json
import os
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from psycopg_pool import AsyncConnectionPool
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from benchmarks.ingest_floor import SCHEMA, WITHIN_SCHEMA, Event

MESSAGES = (
    "conversations_message (id, project_id, conversation_id, public_id, agent_id, agent_name,"
    " agent_type, agent_version, role, content, timestamp, sequence_number, model, status,"
    " metadata, created_at)"
)
UNINDEXED = "conversations_unindexed (project_id, conversation_id, message_id)"
BODIES = "streaming_eventbody (id, kind, payload, subject, occurred_at, tag, is_final, recorded_at)"
ENTRIES = "streaming_entry (topic_id, seq, body_id)"
# Far from those that the database gives out.
_keys = count(1 << 60)

Row = Sequence[object]
Rows = dict[str, list[Row]]


def psql_script(events: int, *, a_transaction: int, size: int) -> str:
    """What psql copies: so many events, so many of them in each transaction."""
    content, now = "x" * size, datetime.now(UTC)
    topic, project_topic = next(_keys), next(_keys)
    parts = []
    for first in range(0, events, a_transaction):
        rows: Rows = {MESSAGES: [], UNINDEXED: [], BODIES: [], ENTRIES: []}
        for number in range(first, first + a_transaction):
            key, public_id = next(_keys), str(uuid.uuid4())
            said = {"message_id": public_id, "content": content, "other": "x" * 400}
            rows[MESSAGES].append(_message(key, 1, public_id, "Benchmark", content, number, now))
            rows[UNINDEXED].append((1, 1, key))
            rows[BODIES].append(
                (key, "message.created", json.dumps(said), public_id, now, 1, "f", now)
            )
            rows[ENTRIES] += [(topic, number, key), (project_topic, number, key)]
        copies = (
            f"COPY {table} FROM STDIN;\n{''.join(map(_line, its))}\\.\n"
            for table, its in rows.items()
        )
        parts.append(f"BEGIN;\n{''.join(copies)}COMMIT;\n")
    return "".join(parts)


def run_psql(program: Path, conninfo: str, scripts: Sequence[Path]) -> float:
    """How many seconds it took all of them, beside each other."""
    command = [str(program), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", conninfo, "--file"]
    environment = {**os.environ, **WITHIN_SCHEMA}
    began = time.perf_counter()
    running = [subprocess.Popen([*command, str(script)], env=environment) for script in scripts]
    codes = [process.wait() for process in running]
    if any(codes):
        raise RuntimeError("psql has failed")
    return time.perf_counter() - began


def _line(row: Row) -> str:
    return "\t".join(map(str, row)) + "\n"


def _message(
    key: int,
    conversation: int,
    public_id: str,
    agent: str,
    content: str,
    number: int,
    at: datetime,
) -> Row:
    who = agent.lower(), agent, agent.lower(), "", "agent"
    rest = content, at, number, "", "completed", "{}", at
    return (key, 1, conversation, public_id, *who, *rest)


# Starlette's door for batches

LOCK = """SELECT public_id, id, last_sequence_number FROM conversations_conversation
    WHERE project_id = 1 AND public_id = ANY(%s) ORDER BY public_id FOR NO KEY UPDATE"""
KNOWN = """SELECT count(*) FROM conversations_message
    WHERE project_id = 1 AND public_id = ANY(%s)"""
NEXT = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
NEXT_BODY = "SELECT nextval('public.streaming_eventbody_id_seq') FROM generate_series(1, %s)"
COUNT = """UPDATE conversations_conversation SET total_messages = total_messages + %s,
    last_sequence_number = last_sequence_number + %s, updated_at = now() WHERE id = %s"""
TOTALS = """INSERT INTO conversations_total AS t (project_id, unit, slot, source, agent_type,
    model, messages, input_tokens, output_tokens, total_tokens, cost, duration_ms)
    SELECT 1, unit, date_trunc(unit, now(), 'UTC'), 'api', %s, '', %s, 0, 0, 0, 0, 0
    FROM unnest(ARRAY['day', 'hour']) unit
    ON CONFLICT (project_id, unit, slot, source, agent_type, model)
    DO UPDATE SET messages = t.messages + excluded.messages"""
TOPIC = """INSERT INTO streaming_topic AS t (name, first_seq, last_seq, has_ended)
    VALUES (%s, 1, %s, false) ON CONFLICT (name) DO UPDATE
    SET last_seq = t.last_seq + excluded.last_seq RETURNING id, last_seq"""

_batch: TypeAdapter[list[Event]] = TypeAdapter(list[Event])


async def ingest_batch(request: Request) -> JSONResponse:
    if request.headers.get("authorization") != f"Bearer {os.environ['KEY']}":
        return JSONResponse({"error": "Invalid API key"}, status_code=401)
    try:
        events = _batch.validate_json(await request.body())
    except ValidationError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    pool: AsyncConnectionPool = request.app.state.pool
    async with pool.connection() as connection, connection.transaction():
        await _write(connection, events)
    ids = [{"success": True, "message_id": event.data.message_id} for event in events]
    return JSONResponse({"accepted": len(ids), "results": ids})


async def _write(connection: Any, events: Sequence[Event]) -> None:
    """All rows of a kind at once: COPY where there is one for each event."""
    said = [event.data for event in events]
    now, names = datetime.now(UTC), [one.conversation_id for one in said]
    found = await _rows(connection, LOCK, [sorted(set(names))])
    conversations = {name: pk for name, pk, _ in found}
    numbers = {name: count(last + 1) for name, _, last in found}
    await _rows(connection, KNOWN, [[one.message_id for one in said]])
    keys = await _keys_of(connection, NEXT, [f"{SCHEMA}.conversations_message", len(said)])
    agents = Counter(one.agent_type for one in said)
    await _copy(
        connection,
        MESSAGES,
        (
            _message(
                key,
                conversations[one.conversation_id],
                one.message_id,
                one.agent_name,
                one.content,
                next(numbers[one.conversation_id]),
                now,
            )
            for key, one in zip(keys, said, strict=True)
        ),
    )
    for name, times in Counter(names).items():
        await connection.execute(COUNT, [times, times, conversations[name]])
    for agent_type in sorted(agents):
        await connection.execute(TOTALS, [agent_type, agents[agent_type]])
    places = zip(keys, names, strict=True)
    await _copy(connection, UNINDEXED, ((1, conversations[name], key) for key, name in places))
    bodies = [(1 << 59) + key for key in await _keys_of(connection, NEXT_BODY, [len(said)])]
    await _copy(
        connection,
        BODIES,
        (
            (key, "message.created", one.model_dump_json(), one.conversation_id, now, 1, False, now)
            for key, one in zip(bodies, said, strict=True)
        ),
    )
    topics: dict[str, list[int]] = {"project:1": bodies}
    for key, name in zip(bodies, names, strict=True):
        topics.setdefault(f"conversation:{conversations[name]}", []).append(key)
    entries: list[Row] = []
    for topic in sorted(topics):
        its = topics[topic]
        [(pk, last)] = await _rows(connection, TOPIC, [topic, len(its)])
        entries += ((pk, seq, key) for seq, key in enumerate(its, last - len(its) + 1))
    await _copy(connection, ENTRIES, entries)


async def _rows(connection: Any, statement: str, values: Sequence[object]) -> list[Any]:
    cursor = await connection.execute(statement, values)
    rows: list[Any] = await cursor.fetchall()
    return rows


async def _keys_of(connection: Any, statement: str, values: Sequence[object]) -> list[int]:
    return [key for (key,) in await _rows(connection, statement, values)]


async def _copy(connection: Any, columns: str, rows: Iterable[Row]) -> None:
    async with connection.cursor() as cursor, cursor.copy(f"COPY {columns} FROM STDIN") as lines:
        for row in rows:
            await lines.write_row(row)
