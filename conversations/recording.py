"""How changes get into the record: what is locked, looked up, counted, written and told."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_never

from django.db import connection, models
from django.utils import timezone

from conversations import events, metrics, search
from conversations.changes import (
    AddMessage,
    AddSession,
    AlreadyThere,
    Change,
    Delivery,
    EndConversation,
    KeepEvent,
    KeyReused,
    NoteError,
    Outcome,
    Recorded,
    StartConversation,
    UnknownConversation,
)
from conversations.models import (
    Conversation,
    DeletedConversation,
    Message,
    Participant,
    Project,
    RawEvent,
    Receipt,
    new_id,
)
from streaming.events import iso
from streaming.publish import publish

LARGEST_NUMBER = 2**63 - 1
KEYS_REMEMBERED = timedelta(hours=24)
ERRORS = ("conversation.error", "error.occurred")

CONVERSATION_FIELDS = [
    "name",
    "mode",
    "status",
    "source",
    "initial_prompt",
    "max_turns",
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
]


class Recording:
    """One call of `record`: what it found, what it changed, what it will tell.

    Conversations are locked first and in order of their ids, so their totals can be counted here;
    receipts and messages come after, the topics of the log last. Every transaction goes that way.
    """

    def __init__(self, project: Project, deliveries: Sequence[Delivery]) -> None:
        self.project = project
        self.deliveries = deliveries
        self.now = timezone.now()
        self.conversations: dict[str, Conversation] = {}
        self.deleted: set[str] = set()
        self.receipts: dict[bytes, Receipt] = {}
        self.message_ids: set[str] = set()
        self.opened: list[Conversation] = []
        self.touched: dict[str, Conversation] = {}
        self.participants: list[Participant] = []
        self.messages: list[Message] = []
        # Whose name or prompt is new.
        self.named: dict[str, Conversation] = {}
        self.raw_events: list[RawEvent] = []
        self.new_receipts: list[Receipt] = []
        self.news: list[tuple[Conversation | None, events.IngestEvent]] = []

    def run(self) -> list[Outcome]:
        self._lock_conversations()
        self._find_receipts()
        self._find_messages()
        outcomes = [self._take(delivery) for delivery in self.deliveries]
        self._write()
        for conversation, event in self.news:
            topics = [self.project.topic, *([conversation.topic] if conversation else [])]
            publish(event, *topics)
        return outcomes

    def _lock_conversations(self) -> None:
        ids = {
            delivery.change.conversation_id
            for delivery in self.deliveries
            if delivery.change.conversation_id
        }
        if ids:
            found = self.project.conversations.filter(public_id__in=ids).order_by("public_id")
            for conversation in found.select_for_update(no_key=True):
                self.conversations[conversation.public_id] = conversation
        # Asked after the lock: whoever waited for a deletion sees what it left.
        if lacking := ids - self.conversations.keys():
            gone = DeletedConversation.objects.filter(project=self.project, public_id__in=lacking)
            self.deleted.update(gone.values_list("public_id", flat=True))

    def _find_receipts(self) -> None:
        identities = {
            identity
            for delivery in self.deliveries
            for identity in (delivery.identity, delivery.key)
            if identity
        }
        if not identities:
            return
        too_old = []
        for receipt in Receipt.objects.filter(project=self.project, identity__in=identities):
            if receipt.fingerprint and receipt.created_at < self.now - KEYS_REMEMBERED:
                too_old.append(receipt.pk)
            else:
                self.receipts[bytes(receipt.identity)] = receipt
        if too_old:
            Receipt.objects.filter(pk__in=too_old).delete()

    def _find_messages(self) -> None:
        ids = {
            delivery.change.message_id
            for delivery in self.deliveries
            if isinstance(delivery.change, AddMessage) and delivery.change.message_id
        }
        if ids:
            found = Message.objects.filter(project=self.project, public_id__in=ids)
            self.message_ids.update(found.values_list("public_id", flat=True))

    def _take(self, delivery: Delivery) -> Outcome:
        key, identity = delivery.key, delivery.identity
        first = self.receipts.get(key) if key else None
        if first and bytes(first.fingerprint or b"") != delivery.fingerprint:
            if delivery.refuses_reused_key:
                return KeyReused()
            # The key goes on standing for what it stood for first.
            key = first = None
        known = first or (self.receipts.get(identity) if identity else None)
        outcome = Recorded(id=known.made_id) if known else self._apply(delivery.change)
        if isinstance(outcome, Recorded):
            if identity and not known:
                self._keep_receipt(identity, None, outcome.id)
            if key and not first:
                self._keep_receipt(key, delivery.fingerprint, outcome.id)
        return outcome

    def _keep_receipt(self, identity: bytes, fingerprint: bytes | None, made_id: str) -> None:
        receipt = Receipt(
            project=self.project, identity=identity, fingerprint=fingerprint, made_id=made_id
        )
        self.receipts[identity] = receipt
        self.new_receipts.append(receipt)

    def _apply(self, change: Change) -> Outcome:
        if change.conversation_id in self.deleted:
            return self._drop(change)
        match change:
            case StartConversation():
                return self._start(change)
            case AddMessage():
                return self._add_message(change)
            case EndConversation():
                return self._end(change)
            case NoteError():
                return self._note_error(change)
            case KeepEvent():
                return self._keep(change)
            case AddSession():
                return self._add_session(change)
            case _:
                assert_never(change)

    def _drop(self, change: Change) -> Outcome:
        """Answered as ever: the sender cannot know that the conversation was deleted."""
        match change:
            case StartConversation():
                return Recorded(id=change.conversation_id or "")
            case AddMessage():
                return Recorded(id=change.message_id or new_id())
            case _:
                return Recorded(id=iso(self.now))

    def _start(self, change: StartConversation) -> Outcome:
        conversation = self.conversations.get(change.conversation_id or "")
        if conversation and not conversation.awaits_start:
            return Recorded(id=conversation.public_id)
        if conversation is None:
            conversation = self._open(change.conversation_id or new_id(), at=change.at)
        participants = self._fill_in(conversation, change)
        self._tell(
            conversation,
            events.conversation_started(conversation, participants, project=self.project.slug),
        )
        return _new(conversation, conversation.public_id)

    def _fill_in(self, conversation: Conversation, change: StartConversation) -> list[Participant]:
        conversation.awaits_start = False
        conversation.started_at = change.at
        conversation.name = change.name
        conversation.mode = change.mode
        conversation.initial_prompt = change.initial_prompt
        self.named[conversation.public_id] = conversation
        conversation.max_turns = change.max_turns
        # Its messages are counted under it: a placeholder keeps its own.
        conversation.source = conversation.source or change.source
        conversation.system_info = change.system_info
        conversation.metadata = {**change.metadata, **conversation.metadata}
        self._touch(conversation)
        participants = [
            Participant(
                conversation=conversation,
                position=position,
                agent_id=new.agent_id,
                agent_type=new.agent_type,
                agent_name=new.agent_name,
                agent_version=new.agent_version,
                model=new.model,
                prompt=new.prompt,
                announcement=new.announcement,
                settings=new.settings,
            )
            for position, new in enumerate(change.participants)
        ]
        self.participants += participants
        return participants

    def _add_session(self, change: AddSession) -> Outcome:
        if change.original:
            there = self.project.conversations.filter(original=change.original)
            public_id = there.values_list("public_id", flat=True).first()
            if public_id is not None:
                return AlreadyThere(public_id)
        conversation = self._open(change.conversation_id or new_id(), at=change.start.at)
        participants = self._fill_in(conversation, change.start)
        conversation.original = change.original
        conversation.status = change.status
        conversation.has_completed = change.status != Conversation.Status.ACTIVE
        conversation.completed_at = change.completed_at
        conversation.reported_duration_ms = change.duration_ms
        for said in change.messages:
            message = self._message(conversation, said)
            self.messages.append(message)
            _count(conversation, message)
        self._tell(
            conversation,
            events.conversation_started(conversation, participants, project=self.project.slug),
        )
        if conversation.has_completed:
            self._tell(conversation, events.conversation_ended(conversation, reason=None))
        return _new(conversation, conversation.public_id)

    def _add_message(self, change: AddMessage) -> Outcome:
        if change.message_id in self.message_ids:
            return Recorded(id=change.message_id or "")
        conversation = self._conversation_of(change)
        if conversation is None:
            return UnknownConversation()
        message = self._message(conversation, change)
        self.messages.append(message)
        self.message_ids.add(message.public_id)
        _count(conversation, message)
        self._touch(conversation)
        self._tell(
            conversation, events.message_created(message, conversation=conversation.public_id)
        )
        return _new(conversation, message.public_id)

    def _message(self, conversation: Conversation, change: AddMessage) -> Message:
        number = change.sequence_number
        if number is None:
            number = min(conversation.last_sequence_number + 1, LARGEST_NUMBER)
        return Message(
            project=self.project,
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
            created_at=self.now,
        )

    def _end(self, change: EndConversation) -> Outcome:
        conversation = self._conversation_of(change)
        if conversation is None:
            return UnknownConversation()
        conversation.status = change.status
        conversation.has_completed = True
        conversation.completed_at = change.at
        conversation.metadata = {**conversation.metadata, **change.metadata}
        if change.reported:
            conversation.metadata["reported"] = change.reported
            duration = change.reported.get("totalDuration")
            if duration is not None:
                conversation.reported_duration_ms = duration
        if change.summary:
            conversation.summary = change.summary
        self._touch(conversation)
        self._tell(conversation, events.conversation_ended(conversation, reason=change.reason))
        return _new(conversation)

    def _note_error(self, change: NoteError) -> Outcome:
        conversation = self._conversation_of(change)
        if conversation is not None:
            if self._is_latest_error(conversation, change):
                conversation.error_message = change.message
            if change.sets_status and not conversation.has_completed:
                conversation.status = Conversation.Status.ERROR
            self._touch(conversation)
        self._keep_raw(conversation, change.kind, change.at, change.data, is_told=True)
        return _new(conversation)

    def _is_latest_error(self, conversation: Conversation, change: NoteError) -> bool:
        """Errors come in any order; what is shown is the one that happened last."""
        here = [raw for raw in self.raw_events if raw.conversation is conversation]
        if any(raw.kind in ERRORS and raw.timestamp > change.at for raw in here):
            return False
        later = RawEvent.objects.filter(conversation=conversation.pk, timestamp__gt=change.at)
        return conversation.pk is None or not later.filter(kind__in=ERRORS).exists()

    def _keep(self, change: KeepEvent) -> Outcome:
        conversation = self._conversation_of(change)
        self._keep_raw(conversation, change.kind, change.at, change.data, is_told=change.is_told)
        return _new(conversation, iso(self.now))

    def _keep_raw(
        self,
        conversation: Conversation | None,
        kind: str,
        at: datetime,
        data: dict[str, object],
        *,
        is_told: bool,
    ) -> None:
        raw = RawEvent(
            project=self.project,
            conversation=conversation,
            kind=kind,
            timestamp=at,
            data=data,
            received_at=self.now,
        )
        self.raw_events.append(raw)
        if is_told:
            public_id = conversation.public_id if conversation else None
            self._tell(conversation, events.kept(raw, conversation=public_id))

    def _conversation_of(
        self, change: AddMessage | EndConversation | NoteError | KeepEvent
    ) -> Conversation | None:
        """The conversation the change is about; opened for it where the dialect allows that."""
        if not change.conversation_id:
            return None
        conversation = self.conversations.get(change.conversation_id)
        if conversation is None and change.may_open:
            conversation = self._open(change.conversation_id, at=change.at)
            conversation.awaits_start = True
            conversation.name = f"Conversation {iso(change.at)}"
            conversation.source = "cli"
        return conversation

    def _open(self, public_id: str, *, at: datetime) -> Conversation:
        conversation = Conversation(
            project=self.project,
            public_id=public_id,
            started_at=at,
            total_tokens=Decimal(0),
            total_cost=Decimal(0),
            total_duration_ms=Decimal(0),
        )
        self.conversations[public_id] = conversation
        self.opened.append(conversation)
        self.named[public_id] = conversation
        return conversation

    def _touch(self, conversation: Conversation) -> None:
        conversation.updated_at = self.now
        self.touched[conversation.public_id] = conversation

    def _tell(self, conversation: Conversation | None, event: events.IngestEvent) -> None:
        """Publish once all rows are written: a topic is named after its conversation's key."""
        self.news.append((conversation, event))

    def _write(self) -> None:
        opened = {conversation.public_id for conversation in self.opened}
        Conversation.objects.bulk_create(_in_order(self.opened))
        changed = [row for public_id, row in self.touched.items() if public_id not in opened]
        if len(changed) == 1:
            changed[0].save(update_fields=CONVERSATION_FIELDS)
        elif changed:
            Conversation.objects.bulk_update(changed, CONVERSATION_FIELDS)
        _copy_messages(self.messages)
        for rows in (self.participants, self.raw_events, self.new_receipts):
            _insert(rows)
        metrics.count(self.project, self.messages)
        search.queue(
            self.project.pk,
            named=[conversation.pk for conversation in self.named.values()],
            messages=[(message.conversation.pk, message.pk) for message in self.messages],
        )


MESSAGE_COLUMNS = [field.attname for field in Message._meta.concrete_fields]
FEW = 20


def _copy_messages(messages: Sequence[Message]) -> None:
    """COPY takes ten thousand messages in a fifth of the time; for a few an INSERT is quicker."""
    if len(messages) <= FEW:
        _insert(messages)
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('conversations_message', 'id'))"
            " FROM generate_series(1, %s)",
            [len(messages)],
        )
        for message, (key,) in zip(messages, cursor.fetchall(), strict=True):
            message.pk = key
        columns = ", ".join(MESSAGE_COLUMNS)
        # Django wraps the errors of `execute`, not those of `copy`.
        with (
            connection.wrap_database_errors,
            cursor.copy(f"COPY conversations_message ({columns}) FROM STDIN") as copy,
        ):
            for message in messages:
                values = {
                    **message.__dict__,
                    "conversation_id": message.conversation.pk,
                    "metadata": json.dumps(message.metadata),
                }
                copy.write_row([values[name] for name in MESSAGE_COLUMNS])


def _new(conversation: Conversation | None, made_id: str = "") -> Recorded:
    return Recorded(
        id=made_id, is_new=True, opened_at=conversation.created_at if conversation else None
    )


def _insert(rows: Sequence[models.Model]) -> None:
    if rows:
        type(rows[0])._default_manager.bulk_create(rows)


def _in_order(conversations: Iterable[Conversation]) -> list[Conversation]:
    return sorted(conversations, key=lambda conversation: conversation.public_id)


def _count(conversation: Conversation, message: Message) -> None:
    conversation.total_messages += 1
    conversation.total_tokens += message.total_tokens or 0
    conversation.total_cost += message.cost or 0
    conversation.total_duration_ms += message.duration_ms or 0
    conversation.last_sequence_number = max(
        conversation.last_sequence_number, message.sequence_number
    )
