"""What becomes of each change, one after the other: what it changes, adds and tells."""

from datetime import datetime
from decimal import Decimal
from typing import assert_never

from conversations import events
from conversations.changes import (
    AddMessage,
    AddSession,
    AlreadyThere,
    Change,
    EndConversation,
    KeepEvent,
    NoteError,
    Outcome,
    Recorded,
    StartConversation,
    UnknownConversation,
)
from conversations.models import Conversation, Participant, RawEvent, new_id
from conversations.recording.known import Known
from conversations.recording.messages import new_message
from conversations.recording.rows import Rows
from streaming.events import iso

ERRORS = ("conversation.error", "error.occurred")


class Decisions:
    def __init__(self, known: Known, rows: Rows, *, now: datetime) -> None:
        self.project = known.project
        self.known = known
        self.rows = rows
        self.now = now

    def take(self, change: Change) -> Outcome:
        if change.conversation_id in self.known.deleted:
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
        conversation = self.known.conversations.get(change.conversation_id or "")
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
        self.rows.named[conversation.public_id] = conversation
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
        for one in participants:
            conversation.note_agents(one.agent_id, one.agent_type)
        self.rows.participants += participants
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
            self.rows.messages.append(new_message(self.known.next_key(), conversation, said))
        self._tell(
            conversation,
            events.conversation_started(conversation, participants, project=self.project.slug),
        )
        if conversation.has_completed:
            self._tell(conversation, events.conversation_ended(conversation, reason=None))
        return _new(conversation, conversation.public_id)

    def _add_message(self, change: AddMessage) -> Outcome:
        if change.message_id in self.known.message_ids:
            return Recorded(id=change.message_id or "")
        conversation = self._conversation_of(change)
        if conversation is None:
            return UnknownConversation()
        message = new_message(self.known.next_key(), conversation, change)
        self.rows.messages.append(message)
        self.known.message_ids.add(message.public_id)
        self._touch(conversation)
        self._tell(
            conversation, events.message_created(message, conversation=conversation.public_id)
        )
        return _new(conversation, message.public_id)

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
        here = [raw for raw in self.rows.raw_events if raw.conversation is conversation]
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
        self.rows.raw_events.append(raw)
        if is_told:
            public_id = conversation.public_id if conversation else None
            self._tell(conversation, events.kept(raw, conversation=public_id))

    def _conversation_of(
        self, change: AddMessage | EndConversation | NoteError | KeepEvent
    ) -> Conversation | None:
        """The conversation the change is about; opened for it where the dialect allows that."""
        if not change.conversation_id:
            return None
        conversation = self.known.conversations.get(change.conversation_id)
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
        self.known.conversations[public_id] = conversation
        self.rows.opened.append(conversation)
        self.rows.named[public_id] = conversation
        return conversation

    def _touch(self, conversation: Conversation) -> None:
        conversation.updated_at = self.now
        self.rows.touched[conversation.public_id] = conversation

    def _tell(self, conversation: Conversation | None, event: events.IngestEvent) -> None:
        self.rows.news.append((conversation, event))


def _new(conversation: Conversation | None, made_id: str = "") -> Recorded:
    return Recorded(
        id=made_id, is_new=True, opened_at=conversation.created_at if conversation else None
    )
