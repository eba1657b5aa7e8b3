"""What the record knows already of what was delivered: locked where it may change."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from conversations.changes import AddMessage, AddSession, Delivery
from conversations.columns import Columns
from conversations.models import Conversation, DeletedConversation, Project, Receipt
from conversations.recording.messages import next_keys
from streaming import statements
from streaming.statements import Statement

KEYS_REMEMBERED = timedelta(hours=24)

Rows = list[tuple[Any, ...]]
_CONVERSATION = Columns(Conversation)
_RECEIPT = Columns(Receipt)
# Each with one array: of a list of a thousand, psycopg reads the places one by one. Of ids there
# may be that many, and they come as JSON: psycopg takes its time for each item of an array, too.
_LOCK = f"""
    SELECT {_CONVERSATION} FROM conversations_conversation
    WHERE project_id = %s AND public_id = ANY(%s)
    ORDER BY public_id FOR NO KEY UPDATE
"""  # noqa: S608 - the names are ours
_RECEIPTS = f"""
    SELECT {_RECEIPT} FROM conversations_receipt WHERE project_id = %s AND identity = ANY(%s)
"""  # noqa: S608
_MESSAGES = """
    SELECT public_id FROM conversations_message WHERE project_id = %s
        AND public_id = ANY(ARRAY(SELECT json_array_elements_text(%s)))
"""


class Known:
    """Asked for all at once, conversations first: who waited for one sees what was done to it."""

    def __init__(self, project: Project, deliveries: Sequence[Delivery], *, now: datetime) -> None:
        self.project = project
        self.conversations: dict[str, Conversation] = {}
        self.deleted: set[str] = set()
        self.receipts: dict[bytes, Receipt] = {}
        self.message_ids: set[str] = set()
        self._message_keys: Iterator[int] = iter(())
        ids = {
            delivery.change.conversation_id
            for delivery in deliveries
            if delivery.change.conversation_id
        }
        self._ask(deliveries, ids, now)
        self._find_deleted(ids - self.conversations.keys())

    def next_key(self) -> int:
        """Of a new message."""
        return next(self._message_keys)

    def _ask(self, deliveries: Sequence[Delivery], ids: set[str], now: datetime) -> None:
        identities = {
            identity
            for delivery in deliveries
            for identity in (delivery.identity, delivery.key)
            if identity
        }
        changes = [delivery.change for delivery in deliveries]
        said = [change for change in changes if isinstance(change, AddMessage)]
        message_ids = list({change.message_id for change in said if change.message_id})
        new = len(said) + sum(
            len(change.messages) for change in changes if isinstance(change, AddSession)
        )
        questions: list[tuple[Statement, Callable[[Rows], None]]] = []
        if ids:
            questions.append(((_LOCK, [self.project.pk, list(ids)]), self._take_conversations))
        if identities:
            take = partial(self._take_receipts, now=now)
            questions.append(((_RECEIPTS, [self.project.pk, list(identities)]), take))
        if message_ids:
            asked = json.dumps(message_ids)
            questions.append(((_MESSAGES, [self.project.pk, asked]), self._take_message_ids))
        if new:
            questions.append((next_keys(new), self._take_keys))
        answers = statements.run(*(question for question, _ in questions))
        for (_, take_in), rows in zip(questions, answers, strict=True):
            take_in(rows)

    def _take_conversations(self, rows: Rows) -> None:
        for conversation in map(_CONVERSATION.object_of, rows):
            self.conversations[conversation.public_id] = conversation

    def _take_receipts(self, rows: Rows, *, now: datetime) -> None:
        too_old = []
        for receipt in map(_RECEIPT.object_of, rows):
            if receipt.fingerprint and receipt.created_at < now - KEYS_REMEMBERED:
                too_old.append(receipt.pk)
            else:
                self.receipts[bytes(receipt.identity)] = receipt
        if too_old:
            Receipt.objects.filter(pk__in=too_old).delete()

    def _take_message_ids(self, rows: Rows) -> None:
        self.message_ids.update(public_id for (public_id,) in rows)

    def _take_keys(self, rows: Rows) -> None:
        self._message_keys = (key for (key,) in rows)

    def _find_deleted(self, lacking: set[str]) -> None:
        # Asked after the lock, too.
        if lacking:
            gone = DeletedConversation.objects.filter(project=self.project, public_id__in=lacking)
            self.deleted.update(gone.values_list("public_id", flat=True))
