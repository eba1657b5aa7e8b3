"""What the record knows already of what was delivered: locked where it may change."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection

from conversations.changes import AddMessage, Delivery
from conversations.columns import Columns
from conversations.models import Conversation, DeletedConversation, Project, Receipt

KEYS_REMEMBERED = timedelta(hours=24)

# Each with one array: of a list of a thousand, psycopg reads the places one by one. Of ids there
# may be that many, and they come as JSON: psycopg takes its time for each item of an array, too.
_CONVERSATION = Columns(Conversation)
_LOCK = f"""
    SELECT {_CONVERSATION} FROM conversations_conversation
    WHERE project_id = %s AND public_id = ANY(%s)
    ORDER BY public_id FOR NO KEY UPDATE
"""  # noqa: S608 - the names are ours
_RECEIPTS = "SELECT * FROM conversations_receipt WHERE project_id = %s AND identity = ANY(%s)"
_MESSAGES = """
    SELECT public_id FROM conversations_message WHERE project_id = %s
        AND public_id = ANY(ARRAY(SELECT json_array_elements_text(%s)))
"""


class Known:
    def __init__(self, project: Project, deliveries: Sequence[Delivery], *, now: datetime) -> None:
        self.project = project
        self.conversations: dict[str, Conversation] = {}
        self.deleted: set[str] = set()
        self.receipts: dict[bytes, Receipt] = {}
        self.message_ids: set[str] = set()
        self._lock_conversations(deliveries)
        self._find_receipts(deliveries, now)
        self._find_messages(deliveries)

    def _lock_conversations(self, deliveries: Sequence[Delivery]) -> None:
        ids = {
            delivery.change.conversation_id
            for delivery in deliveries
            if delivery.change.conversation_id
        }
        if ids:
            for conversation in _CONVERSATION.find(_LOCK, [self.project.pk, list(ids)]):
                self.conversations[conversation.public_id] = conversation
        # Asked after the lock: whoever waited for a deletion sees what it left.
        if lacking := ids - self.conversations.keys():
            gone = DeletedConversation.objects.filter(project=self.project, public_id__in=lacking)
            self.deleted.update(gone.values_list("public_id", flat=True))

    def _find_receipts(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        identities = {
            identity
            for delivery in deliveries
            for identity in (delivery.identity, delivery.key)
            if identity
        }
        if not identities:
            return
        too_old = []
        for receipt in Receipt.objects.raw(_RECEIPTS, [self.project.pk, list(identities)]):
            if receipt.fingerprint and receipt.created_at < now - KEYS_REMEMBERED:
                too_old.append(receipt.pk)
            else:
                self.receipts[bytes(receipt.identity)] = receipt
        if too_old:
            Receipt.objects.filter(pk__in=too_old).delete()

    def _find_messages(self, deliveries: Sequence[Delivery]) -> None:
        ids = {
            delivery.change.message_id
            for delivery in deliveries
            if isinstance(delivery.change, AddMessage) and delivery.change.message_id
        }
        if ids:
            with connection.cursor() as cursor:
                cursor.execute(_MESSAGES, [self.project.pk, json.dumps(list(ids))])
                self.message_ids.update(public_id for (public_id,) in cursor.fetchall())
