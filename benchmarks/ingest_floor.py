"""The statements of one recorded message: for pgbench, and for Starlette's door.

The door checks a key, reads the message with pydantic and writes it in one transaction. Other than
AgentPipe it knows one kind of event, no dialects, rates or repeats, and tells nobody.
"""

import os
import re
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

SCHEMA = "peer"
# For whoever connects by libpq.
WITHIN_SCHEMA = {"PGOPTIONS": f"-c search_path={SCHEMA}"}
TABLES = (
    "conversations_conversation",
    "conversations_message",
    "conversations_total",
    "conversations_unindexed",
    "streaming_topic",
    "streaming_eventbody",
    "streaming_entry",
)

# As AgentPipe writes a message of a known conversation: with :names, of which some are what an
# earlier statement returns.
STATEMENTS = """
SELECT id AS conversation FROM conversations_conversation
    WHERE project_id = 1 AND public_id = :name FOR NO KEY UPDATE;
SELECT count(*) AS known FROM conversations_message
    WHERE project_id = 1 AND public_id = :message;
INSERT INTO conversations_message (project_id, conversation_id, public_id, agent_id, agent_name,
    agent_type, agent_version, role, content, timestamp, sequence_number, model, status, metadata,
    created_at)
    VALUES (1, :conversation, :message, :agent_id, :agent_name, :agent_type, '', :role, :content,
        now(), 1, '', 'completed', '{}', now())
    RETURNING id AS pk;
UPDATE conversations_conversation SET total_messages = total_messages + 1,
    last_sequence_number = last_sequence_number + 1, updated_at = now()
    WHERE id = :conversation;
INSERT INTO conversations_total AS t (project_id, unit, slot, source, agent_type, model, messages,
    input_tokens, output_tokens, total_tokens, cost, duration_ms)
    SELECT 1, unit, date_trunc(unit, now(), 'UTC'), 'api', :agent_type, '', 1, 0, 0, 0, 0, 0
    FROM unnest(ARRAY['day', 'hour']) unit
    ON CONFLICT (project_id, unit, slot, source, agent_type, model)
    DO UPDATE SET messages = t.messages + 1;
INSERT INTO conversations_unindexed (project_id, conversation_id, message_id)
    VALUES (1, :conversation, :pk);
WITH taken AS (
    INSERT INTO streaming_topic AS t (name, first_seq, last_seq, has_ended)
    VALUES ('conversation:' || CAST(:conversation AS text), 1, 1, false),
        ('project:1', 1, 1, false)
    ON CONFLICT (name) DO UPDATE SET last_seq = t.last_seq + 1 RETURNING name, id, last_seq
)
    SELECT c.id AS topic, c.last_seq AS seq, p.id AS project_topic, p.last_seq AS project_seq
    FROM taken c, taken p WHERE c.name <> 'project:1' AND p.name = 'project:1';
INSERT INTO streaming_eventbody (kind, payload, subject, occurred_at, tag, is_final, recorded_at)
    VALUES ('message.created', CAST(:payload AS text), :name, now(), 1, false, now())
    RETURNING id AS body;
INSERT INTO streaming_entry (topic_id, seq, body_id)
    VALUES (:topic, :seq, :body), (:project_topic, :project_seq, :body)
""".strip().split(";\n")
NAMED = re.compile(r":([a-z_]+)")


class Said(BaseModel):
    conversation_id: str = Field(min_length=1, max_length=200)
    message_id: str = Field(min_length=1, max_length=200)
    agent_id: str
    agent_type: str
    agent_name: str
    role: str
    content: str = Field(max_length=100_000)


class Event(BaseModel):
    type: str
    data: Said


def lay_out(connection: psycopg.Connection[Any], conversations: list[str]) -> None:
    """Tables of the same columns and indexes as ours, and the conversations in them."""
    connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
    for table in TABLES:
        connection.execute(
            f"CREATE TABLE {SCHEMA}.{table} (LIKE public.{table} INCLUDING ALL)".encode()
        )
    # Each volume has this one for itself.
    connection.execute(
        f"ALTER TABLE {SCHEMA}.streaming_entry ADD PRIMARY KEY (topic_id, seq)".encode()
    )
    connection.execute(
        f"INSERT INTO {SCHEMA}.conversations_conversation SELECT made.* FROM (SELECT * FROM"
        " public.conversations_conversation LIMIT 1) c, unnest(%s::text[]) WITH ORDINALITY"
        " AS new (name, place), jsonb_populate_record("
        " NULL::public.conversations_conversation, to_jsonb(c) || jsonb_build_object("
        "'id', 1000000 + place, 'public_id', new.name, 'project_id', 1)) made".encode(),
        [conversations],
    )
    connection.commit()


def script() -> str:
    """The transaction for pgbench."""
    lines = ["\\set number :client_id + 1", "BEGIN;"]
    lines.append("SELECT 'peer-' || :number AS name, gen_random_uuid() AS message \\gset")
    for statement in STATEMENTS:
        returns = "RETURNING" in statement or statement.startswith("SELECT")
        lines.append(statement + (" \\gset" if returns else ";"))
    return "\n".join([*lines, "COMMIT;"]) + "\n"


async def ingest(request: Request) -> JSONResponse:
    if request.headers.get("authorization") != f"Bearer {os.environ['KEY']}":
        return JSONResponse({"error": "Invalid API key"}, status_code=401)
    body = await request.body()
    try:
        event = Event.model_validate_json(body)
    except ValidationError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    said = event.data
    values: dict[str, Any] = {
        **said.model_dump(),
        "name": said.conversation_id,
        "message": said.message_id,
        "payload": said.model_dump_json(),
    }
    pool: AsyncConnectionPool = request.app.state.pool
    async with pool.connection() as connection, connection.transaction():
        for statement in STATEMENTS:
            cursor = await connection.execute(NAMED.sub(r"%(\1)s", statement).encode(), values)
            if cursor.description:
                names = [column.name for column in cursor.description]
                values |= dict(zip(names, await cursor.fetchone() or (), strict=True))
    return JSONResponse({"success": True, "message_id": said.message_id}, status_code=201)
