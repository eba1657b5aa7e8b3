"""Conversations of any size, put into a server's database by COPY, as ingest would leave them."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import psycopg

from agentpipe.embedded import address
from benchmarks.agentpipe_server import AgentPipe

START = datetime(2026, 1, 1, tzinfo=UTC)
AGENT_TYPES = ("claude", "gemini", "codex", "qwen")
AGENTS = 1_000
TEXTS = 1_000
WORDS_EACH = 45
CONVERSATIONS = (
    "id, project_id, public_id, kind, name, mode, status, source, initial_prompt, metadata, notes,"
    " error_message, agents, total_messages, total_tokens, total_cost, total_duration_ms,"
    " last_sequence_number, awaits_start, has_completed, started_at, created_at, updated_at"
)
PARTICIPANTS = (
    "conversation_id, position, agent_id, agent_type, agent_name, agent_version, model, prompt,"
    " announcement, settings"
)
MESSAGES = (
    "project_id, conversation_id, public_id, agent_id, agent_name, agent_type, agent_version, role,"
    " content, timestamp, sequence_number, model, duration_ms, input_tokens, output_tokens,"
    " total_tokens, cost, status, metadata, created_at"
)
COUNTED = """
DELETE FROM conversations_total;
INSERT INTO conversations_total (
    project_id, unit, slot, source, agent_type, model,
    messages, input_tokens, output_tokens, total_tokens, cost, duration_ms
)
SELECT m.project_id, unit, date_trunc(unit, m.timestamp, 'UTC'), c.source, m.agent_type, m.model,
    count(*), sum(m.input_tokens), sum(m.output_tokens), sum(m.total_tokens), sum(m.cost),
    sum(m.duration_ms)
FROM conversations_message m JOIN conversations_conversation c ON c.id = m.conversation_id,
    unnest(ARRAY['hour', 'day']) unit
GROUP BY 1, 2, 3, 4, 5, 6
"""
SEARCHED = """
INSERT INTO conversations_searchdocument (project_id, conversation_id, message_id, start, words)
SELECT project_id, conversation_id, id, 0, to_tsvector('simple', content)
FROM conversations_message
"""
TOLD = """
WITH of_conversation AS (
    INSERT INTO streaming_topic (name, first_seq, last_seq, has_ended)
    SELECT 'conversation:' || id, 1, total_messages, false FROM conversations_conversation
    RETURNING id
), of_project AS (
    INSERT INTO streaming_topic (name, first_seq, last_seq, has_ended)
    SELECT 'project:' || project_id, 1, total_messages, false FROM conversations_conversation
    RETURNING id
), body AS (
    INSERT INTO streaming_eventbody
        (kind, payload, subject, occurred_at, tag, is_final, recorded_at)
    SELECT 'message.created', json_build_object('message', to_json(m))::text, '', timestamp, 1,
        false, now()
    FROM conversations_message m RETURNING id
), numbered AS (
    SELECT id, row_number() OVER (ORDER BY id) AS seq FROM body
)
INSERT INTO streaming_entry (topic_id, seq, body_id)
SELECT topic.id, seq, numbered.id
FROM numbered, (SELECT id FROM of_conversation UNION ALL SELECT id FROM of_project) topic
"""

Connection = psycopg.Connection[Any]


def connected(server: AgentPipe) -> Connection:
    where = address(server.data_dir)
    return psycopg.connect(
        host=where["HOST"],
        port=where["PORT"],
        user=where["USER"],
        dbname=where["NAME"],
        autocommit=True,
    )


def add_conversations(
    connection: Connection, *names: str, messages: int, first: datetime = START
) -> None:
    """Conversations that began a minute after each other, each with so many messages."""
    [(project,)] = connection.execute("SELECT min(id) FROM conversations_project").fetchall()
    with connection.cursor() as cursor:
        ids = cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('conversations_conversation', 'id'))"
            " FROM generate_series(1, %s)",
            [len(names)],
        ).fetchall()
        opened = [
            (pk, name, number) for number, ((pk,), name) in enumerate(zip(ids, names, strict=True))
        ]
        with cursor.copy(f"COPY conversations_conversation ({CONVERSATIONS}) FROM STDIN") as copy:
            for pk, name, number in opened:
                at = first + timedelta(minutes=number)
                copy.write_row(_conversation(pk, project, name, number, messages, at))
        with cursor.copy(f"COPY conversations_participant ({PARTICIPANTS}) FROM STDIN") as copy:
            for pk, _, number in opened:
                copy.write_row(
                    (pk, 0, f"a-{number % AGENTS}", "claude", "Ada", "", "opus", "", "", "{}")
                )
        with cursor.copy(f"COPY conversations_message ({MESSAGES}) FROM STDIN") as copy:
            for pk, name, number in opened:
                at = first + timedelta(minutes=number)
                for message in _messages(name, at, messages):
                    copy.write_row((project, pk, *message))
    connection.execute(COUNTED)
    connection.execute("VACUUM ANALYZE")


def add_traces(connection: Connection) -> None:
    """What ingest leaves of the messages of a lone conversation beside them: documents, events."""
    # To fill it takes minutes, and a deletion leaves it to the next vacuum.
    connection.execute("DROP INDEX documents_by_slice")
    connection.execute(SEARCHED)
    connection.execute(TOLD)
    connection.execute("VACUUM ANALYZE")


def _conversation(
    pk: int, project: int, name: str, number: int, messages: int, at: datetime
) -> tuple[Any, ...]:
    # One in a hundred failed.
    status = "COMPLETED" if number % 100 else "ERROR"
    about = (pk, project, name, "recorded", name, "round-robin", status, "cli", "How fast is it?")
    agents = [*{f"a-{number % AGENTS}", "claude", *AGENT_TYPES[:messages]}]
    totals = (messages, 150 * messages, messages / 100, 1200 * messages, messages)
    return (*about, "{}", "", "", agents, *totals, False, True, at, at, at)


def _messages(name: str, at: datetime, count: int) -> Iterator[tuple[Any, ...]]:
    texts = _texts()
    for number in range(count):
        kind = AGENT_TYPES[number % len(AGENT_TYPES)]
        who = (f"{name}-{number}", f"{kind}-1", kind.title(), kind, "", "agent")
        said = (texts[number % TEXTS], at + timedelta(seconds=number), number)
        yield (*who, *said, "opus", 1200, 100, 50, 150, "0.01", "completed", "{}", at)


@cache
def _texts() -> list[str]:
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnop", k=5)) for _ in range(2_000)]
    return [" ".join(chance.choices(words, k=WORDS_EACH)) for _ in range(TEXTS)]
