"""What is written and told of a batch: collected while it is decided, written set by set."""

import json
from collections.abc import Iterable
from datetime import datetime

from conversations import metrics, search
from conversations.events import IngestEvent
from conversations.models import Conversation, Participant, Project, RawEvent, Receipt
from conversations.recording.messages import NewMessage, write_messages
from streaming import statements
from streaming.copying import MANY, copy
from streaming.events import iso
from streaming.publish import publish
from streaming.statements import Statement

CHANGING = (
    "name",
    "mode",
    "status",
    "source",
    "initial_prompt",
    "max_turns",
    "agents",
    "metadata",
    "system_info",
    "summary",
    "error_message",
    "total_messages",
    "total_tokens",
    "total_cost",
    "total_duration_ms",
    "reported_duration_ms",
    "last_sequence_number",
    "awaits_start",
    "has_completed",
    "started_at",
    "completed_at",
    "updated_at",
)
# `bulk_update` asks for each field of each row which row it is of.
_UPDATE = f"""
    UPDATE conversations_conversation c SET {", ".join(f"{name} = new.{name}" for name in CHANGING)}
    FROM json_populate_recordset(NULL::conversations_conversation, %s) new WHERE c.id = new.id
"""  # noqa: S608 - the names are ours


class Rows:
    def __init__(self, project: Project, *, now: datetime) -> None:
        self.project = project
        self.now = now
        self.opened: list[Conversation] = []
        self.touched: dict[str, Conversation] = {}
        # Whose name or prompt is new.
        self.named: dict[str, Conversation] = {}
        self.participants: list[Participant] = []
        self.messages: list[NewMessage] = []
        self.raw_events: list[RawEvent] = []
        self.receipts: list[Receipt] = []
        self.news: list[tuple[Conversation | None, IngestEvent]] = []

    def write(self) -> None:
        self._write_opened()
        if self.participants:
            Participant.objects.bulk_create(self.participants)
        self._write_raw_events()
        self._write_receipts()
        # Not before: a topic is named after its conversation's key.
        topics: dict[str, tuple[str, ...]] = {}
        for conversation, event in self.news:
            name = conversation.public_id if conversation else ""
            if name not in topics:
                topics[name] = (self.project.topic, *([conversation.topic] if conversation else []))
            publish(event, *topics[name])
        messages = write_messages(self.messages, now=self.now)
        statements.run(
            *self._updating(),
            *messages,
            *search.queueing(
                self.project.pk,
                named=[conversation.pk for conversation in self.named.values()],
                messages=[(message.conversation.pk, message.key) for message in self.messages],
            ),
        )
        metrics.count(self.project, self.messages)

    def _write_opened(self) -> None:
        if self.opened:
            Conversation.objects.bulk_create(_in_order(self.opened))

    def _updating(self) -> list[Statement]:
        opened = {conversation.public_id for conversation in self.opened}
        changed = [row for public_id, row in self.touched.items() if public_id not in opened]
        if not changed:
            return []
        rows = [{name: getattr(row, name) for name in ("id", *CHANGING)} for row in changed]
        # Times and sums as text; PostgreSQL knows what they are.
        return [(_UPDATE, [json.dumps(rows, default=str)])]

    def _write_raw_events(self) -> None:
        if len(self.raw_events) <= MANY:
            if self.raw_events:
                RawEvent.objects.bulk_create(self.raw_events)
            return
        copy(
            "conversations_rawevent"
            " (project_id, conversation_id, kind, timestamp, data, received_at)",
            (
                (
                    raw.project_id,
                    raw.conversation.pk if raw.conversation else None,
                    raw.kind,
                    iso(raw.timestamp),
                    json.dumps(raw.data),
                    iso(raw.received_at),
                )
                for raw in self.raw_events
            ),
        )

    def _write_receipts(self) -> None:
        if len(self.receipts) <= MANY:
            if self.receipts:
                Receipt.objects.bulk_create(self.receipts)
            return
        created_at = iso(self.now)
        copy(
            "conversations_receipt (project_id, identity, fingerprint, made_id, created_at)",
            (
                (
                    receipt.project_id,
                    receipt.identity,
                    receipt.fingerprint,
                    receipt.made_id,
                    created_at,
                )
                for receipt in self.receipts
            ),
        )


def _in_order(conversations: Iterable[Conversation]) -> list[Conversation]:
    return sorted(conversations, key=lambda conversation: conversation.public_id)
