"""New messages on their way into their table, as values.

To make ten thousand of Django's own objects takes about as long as to store them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from conversations.changes import AddMessage, Json
from conversations.models import Conversation, Message, new_id
from streaming.copying import MANY, copy
from streaming.events import iso
from streaming.statements import Statement

LARGEST_NUMBER = 2**63 - 1
TABLE = Message._meta.db_table
PLAIN = (
    "public_id",
    "agent_id",
    "agent_name",
    "agent_type",
    "agent_version",
    "role",
    "content",
    "sequence_number",
    "turn_number",
    "model",
    "duration_ms",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost",
    "status",
)
COLUMNS = ("id", "project_id", "conversation_id", *PLAIN, "metadata", "timestamp", "created_at")


@dataclass(slots=True, kw_only=True)
class NewMessage:
    """What will be a `Message`, under the same names."""

    key: int
    conversation: Conversation
    public_id: str
    agent_id: str
    agent_name: str
    agent_type: str
    agent_version: str
    role: str
    content: str
    timestamp: datetime
    sequence_number: int
    turn_number: int | None
    model: str
    duration_ms: int | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cost: Decimal | None
    metadata: Json
    status: str = "completed"


def new_message(key: int, conversation: Conversation, change: AddMessage) -> NewMessage:
    """The message, numbered if it has no number, and counted in its conversation's totals."""
    number = change.sequence_number
    if number is None:
        number = min(conversation.last_sequence_number + 1, LARGEST_NUMBER)
    message = NewMessage(
        key=key,
        conversation=conversation,
        public_id=change.message_id or new_id(),
        agent_id=change.agent_id,
        agent_name=change.agent_name,
        agent_type=change.agent_type,
        agent_version=change.agent_version,
        role=change.role,
        content=change.content,
        timestamp=change.at,
        sequence_number=number,
        turn_number=change.turn_number,
        model=change.model,
        duration_ms=change.duration_ms,
        input_tokens=change.input_tokens,
        output_tokens=change.output_tokens,
        total_tokens=change.total_tokens,
        cost=change.cost,
        metadata=change.metadata,
    )
    _count(conversation, message)
    return message


def _count(conversation: Conversation, message: NewMessage) -> None:
    conversation.total_messages += 1
    # A sum takes its time, and of most messages nothing is known but what they say.
    if message.total_tokens:
        conversation.total_tokens += message.total_tokens
    if message.cost:
        conversation.total_cost += message.cost
    if message.duration_ms:
        conversation.total_duration_ms += message.duration_ms
    conversation.note_agents(message.agent_id, message.agent_type)
    conversation.last_sequence_number = max(
        conversation.last_sequence_number, message.sequence_number
    )


def next_keys(count: int) -> Statement:
    return f"SELECT nextval('{TABLE}_id_seq') FROM generate_series(1, %s)", [count]  # noqa: S608


def write_messages(messages: Sequence[NewMessage], *, now: datetime) -> list[Statement]:
    """Write them, or say what is left to be run for that: few go along with other statements."""
    created_at = iso(now)
    rows = [_row(message, created_at) for message in messages]
    # COPY takes ten thousand in a fifth of the time; for a few an INSERT is quicker.
    if len(rows) > MANY:
        copy(f"{TABLE} ({', '.join(COLUMNS)})", rows)
        rows = []
    return [_inserting(rows)] if rows else []


Row = tuple[Any, ...]
_plain = attrgetter(*PLAIN)


def _row(message: NewMessage, created_at: str) -> Row:
    # Times as text: psycopg takes as long for each as for all the other values of the row.
    return (
        message.key,
        message.conversation.project_id,
        message.conversation.id,
        *_plain(message),
        json.dumps(message.metadata) if message.metadata else "{}",
        iso(message.timestamp),
        created_at,
    )


def _inserting(rows: Sequence[Row]) -> Statement:
    places = f"({', '.join(['%s'] * len(COLUMNS))})"
    written = f"{', '.join(COLUMNS)}) VALUES {', '.join([places] * len(rows))}"
    return f"INSERT INTO {TABLE} ({written}", [value for row in rows for value in row]
