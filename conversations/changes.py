"""What a delivered event asks of the record: the same few changes from every dialect.

Those that come in thousands are not frozen: that would take three times as long to make.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewParticipant:
    agent_id: str
    agent_type: str
    agent_name: str
    agent_version: str = ""
    model: str = ""
    prompt: str = ""
    announcement: str = ""
    settings: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConversation:
    """Open a conversation, or fill in the one that early messages have opened."""

    # None: the record gives it an id.
    conversation_id: str | None
    at: datetime
    name: str
    mode: str
    initial_prompt: str
    max_turns: int | None
    source: str
    participants: list[NewParticipant]
    metadata: Json
    system_info: Json | None = None

    @property
    def own_id(self) -> str | None:
        return self.conversation_id


@dataclass(slots=True, kw_only=True)
class AddMessage:
    conversation_id: str
    # Whether an unknown conversation is opened for this message.
    may_open: bool
    # None: the record gives it an id.
    message_id: str | None
    at: datetime
    agent_id: str
    agent_name: str
    agent_type: str
    agent_version: str
    role: str
    content: str
    sequence_number: int | None
    turn_number: int | None
    model: str
    duration_ms: int | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cost: Decimal | None
    metadata: Json

    @property
    def own_id(self) -> str | None:
        return self.message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class EndConversation:
    conversation_id: str
    may_open: bool
    at: datetime
    # COMPLETED, INTERRUPTED or ERROR
    status: str
    # What the sender counted, by the names in which it is shown.
    reported: Json
    metadata: Json
    reason: str | None = None
    summary: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteError:
    """An error, of a conversation or of none."""

    conversation_id: str | None
    may_open: bool
    at: datetime
    kind: str
    message: str
    sets_status: bool
    data: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepEvent:
    """An event that has no other place in the record."""

    conversation_id: str | None
    may_open: bool
    at: datetime
    kind: str
    data: Json
    # Whether followers hear of it; kinds that nobody knows are kept in silence.
    is_told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSession:
    """A whole conversation that took place elsewhere: all of it or nothing."""

    start: StartConversation
    messages: list[AddMessage]
    status: str
    completed_at: datetime | None
    # As the sender counted it; None leaves it to the messages.
    duration_ms: int | None
    # The digest of the id that it had elsewhere: a project takes each but once.
    original: bytes | None

    @property
    def conversation_id(self) -> str | None:
        return self.start.conversation_id


Change = StartConversation | AddMessage | EndConversation | NoteError | KeepEvent | AddSession


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A change as it was delivered, and by what a second delivery of it is recognised."""

    change: Change
    # None where the change itself carries the id that makes it unique, or nothing does.
    identity: bytes | None = None
    # An Idempotency-Key, and what it stands for.
    key: bytes | None = None
    fingerprint: bytes = b""
    refuses_reused_key: bool = False


@dataclass(slots=True, kw_only=True)
class Recorded:
    """The change is in the record; `id` is that of what it made, where it made something."""

    id: str = ""
    # Whether it was this delivery that put it there, and into a conversation opened when.
    is_new: bool = False
    opened_at: datetime | None = None


class UnknownConversation:
    """The change was for a conversation that is not there."""


class KeyReused:
    """The Idempotency-Key stood for something else."""


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """The session was uploaded before, as this conversation."""

    conversation_id: str


Outcome = Recorded | UnknownConversation | KeyReused | AlreadyThere
