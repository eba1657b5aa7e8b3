"""The snake_case dialect of the command-line tool: it drops what is refused, so little ever is.

Ids are the client's own. Only an id or a text of the wrong kind is refused; anything else that
does not fit is absent, and fields that nobody knows are kept as metadata.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from django.utils import timezone
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core.core_schema import str_schema

from conversations.changes import (
    AddMessage,
    Change,
    EndConversation,
    Json,
    KeepEvent,
    NewParticipant,
    NoteError,
    Recorded,
    StartConversation,
)
from conversations.ingest.reading import storable
from conversations.ingest.types import (
    MaybeCost,
    MaybeLong,
    MaybeObject,
    MaybeText,
    MaybeTime,
    OrAbsent,
    Text,
)
from streaming.events import iso

LONGEST_ID = 200
Id = Annotated[Text, Field(min_length=1, max_length=LONGEST_ID)]
MaybeId = Annotated[
    str | None, OrAbsent(str_schema(strict=True, min_length=1, max_length=LONGEST_ID))
]
STATUSES = {"completed": "COMPLETED", "interrupted": "INTERRUPTED", "error": "ERROR"}
NAME_LENGTH = 80
FREE = Decimal(0)


class Snake(BaseModel):
    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def without_nulls(cls, data: Json) -> Json:
        if None not in data.values():
            return data
        return {name: value for name, value in data.items() if value is not None}

    def extras(self) -> Json:
        extras: Json = storable(self.model_extra) if self.model_extra else {}
        return extras


class Participant(Snake):
    agent_id: MaybeText = None
    agent_type: MaybeText = None
    name: MaybeText = None
    model: MaybeText = None
    prompt: MaybeText = None
    version: MaybeText = Field(None, validation_alias=AliasChoices("agent_version", "cli_version"))

    def as_new(self) -> NewParticipant:
        return NewParticipant(
            agent_id=self.agent_id or "",
            agent_type=self.agent_type or "",
            agent_name=self.name or self.agent_type or "",
            agent_version=self.version or "",
            model=self.model or "",
            prompt=self.prompt or "",
            settings=self.extras(),
        )


def _objects(value: object) -> list[Any]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


class Started(Snake):
    conversation_id: Id
    mode: MaybeText = None
    name: MaybeText = None
    initial_prompt: MaybeText = None
    max_turns: MaybeLong = None
    participants: Annotated[list[Participant], BeforeValidator(_objects)] = Field(
        default_factory=list, validation_alias=AliasChoices("participants", "agents")
    )
    system_info: MaybeObject = None

    status: ClassVar[int] = 201

    def change(self, kind: str, at: datetime) -> Change:
        prompt = self.initial_prompt or ""
        first_line = prompt.strip().partition("\n")[0].strip()
        return StartConversation(
            conversation_id=self.conversation_id,
            at=at,
            name=self.name or first_line[:NAME_LENGTH] or f"Conversation {iso(at)}",
            mode=self.mode or "",
            initial_prompt=prompt,
            max_turns=self.max_turns,
            source="cli",
            participants=[participant.as_new() for participant in self.participants],
            metadata={**self.extras(), "source": "cli", "ingestedAt": iso(timezone.now())},
            system_info=_system_info(self.system_info),
        )

    def answer(self, recorded: Recorded) -> Json:
        return {"conversation_id": recorded.id}


class MessageCreated(Snake):
    conversation_id: Id
    message_id: MaybeId = None
    agent_id: MaybeText = None
    agent_type: MaybeText = None
    agent_name: MaybeText = None
    agent_version: MaybeText = None
    # The tool leaves out what is empty, and an empty message is a message.
    content: Text = ""
    role: MaybeText = None
    sequence_number: MaybeLong = None
    turn_number: MaybeLong = None
    tokens_used: MaybeLong = None
    input_tokens: MaybeLong = None
    output_tokens: MaybeLong = None
    cost: MaybeCost = None
    model: MaybeText = None
    duration_ms: MaybeLong = None

    status: ClassVar[int] = 201

    def change(self, kind: str, at: datetime) -> Change:
        return AddMessage(
            conversation_id=self.conversation_id,
            may_open=True,
            message_id=self.message_id,
            at=at,
            agent_id=self.agent_id or "",
            agent_name=self.agent_name or "",
            agent_type=self.agent_type or "",
            agent_version=self.agent_version or "",
            role=self.role or "agent",
            content=self.content,
            sequence_number=self.sequence_number,
            turn_number=self.turn_number or 0,
            model=self.model or "",
            duration_ms=self.duration_ms or 0,
            input_tokens=self.input_tokens or 0,
            output_tokens=self.output_tokens or 0,
            total_tokens=self.tokens_used or 0,
            cost=self.cost or FREE,
            metadata=self.extras(),
        )

    def answer(self, recorded: Recorded) -> Json:
        return {"message_id": recorded.id}


class Summary(Snake):
    short_text: MaybeText = None
    text: MaybeText = None
    agent_type: MaybeText = None
    model: MaybeText = None
    input_tokens: MaybeLong = None
    output_tokens: MaybeLong = None
    total_tokens: MaybeLong = None
    cost: MaybeCost = None
    duration_ms: MaybeLong = None

    def as_shown(self) -> Json:
        return {
            **self.extras(),
            "shortText": self.short_text or "",
            "text": self.text or "",
            "agentType": self.agent_type or "",
            "model": self.model or "",
            "inputTokens": self.input_tokens or 0,
            "outputTokens": self.output_tokens or 0,
            "totalTokens": self.total_tokens or 0,
            "cost": float(self.cost or 0),
            "duration": self.duration_ms or 0,
        }


class Completed(Snake):
    conversation_id: Id
    outcome: MaybeText = Field(None, validation_alias="status")
    total_messages: MaybeLong = None
    total_turns: MaybeLong = None
    total_tokens: MaybeLong = None
    total_cost: MaybeCost = None
    duration_seconds: MaybeCost = None
    summary: MaybeObject = None

    status: ClassVar[int] = 200

    def change(self, kind: str, at: datetime) -> Change:
        outcome = self.outcome or "completed"
        is_known = outcome.lower() in STATUSES
        return EndConversation(
            conversation_id=self.conversation_id,
            may_open=True,
            at=at,
            status=STATUSES.get(outcome.lower(), "COMPLETED"),
            reported=self._reported(),
            metadata=self.extras() if is_known else {**self.extras(), "reportedStatus": outcome},
            summary=Summary.model_validate(self.summary).as_shown() if self.summary else None,
        )

    def _reported(self) -> Json:
        seconds = self.duration_seconds
        reported = {
            "totalMessages": self.total_messages,
            "totalTurns": self.total_turns,
            "totalTokens": self.total_tokens,
            "totalCost": None if self.total_cost is None else float(self.total_cost),
            "totalDuration": None if seconds is None else int(seconds * 1000),
        }
        return {name: value for name, value in reported.items() if value is not None}

    def answer(self, recorded: Recorded) -> Json:
        return {"success": True}


class Error(Snake):
    conversation_id: MaybeId = None
    error_message: MaybeText = None
    error_type: MaybeText = None
    agent_type: MaybeText = None

    status: ClassVar[int] = 200

    def change(self, kind: str, at: datetime) -> Change:
        message = self.error_message or ""
        return NoteError(
            conversation_id=self.conversation_id,
            may_open=True,
            at=at,
            kind=kind,
            message=message,
            sets_status=True,
            data={
                **self.extras(),
                "conversationId": self.conversation_id,
                "error": message,
                "errorMessage": message,
                "errorType": self.error_type,
                "agentType": self.agent_type,
            },
        )

    def answer(self, recorded: Recorded) -> Json:
        return {"success": True}


class LogEntry(Snake):
    conversation_id: MaybeId = None
    level: MaybeText = None
    content: MaybeText = None
    agent_id: MaybeText = None
    agent_name: MaybeText = None
    agent_type: MaybeText = None
    role: MaybeText = None
    metrics: MaybeObject = None
    metadata: MaybeObject = None

    status: ClassVar[int] = 200

    def change(self, kind: str, at: datetime) -> Change:
        return KeepEvent(
            conversation_id=self.conversation_id,
            may_open=True,
            at=at,
            kind=kind,
            data={
                **self.extras(),
                "conversationId": self.conversation_id,
                "level": self.level or "",
                "content": self.content or "",
                "agentId": self.agent_id,
                "agentName": self.agent_name,
                "agentType": self.agent_type,
                "role": self.role,
                "metrics": self.metrics,
                "metadata": self.metadata,
            },
            is_told=True,
        )

    def answer(self, recorded: Recorded) -> Json:
        return {"success": True}


class Bridge(Snake):
    system_info: MaybeObject = None
    message: MaybeText = None
    connected_at: MaybeTime = None

    status: ClassVar[int] = 200

    def change(self, kind: str, at: datetime) -> Change:
        return KeepEvent(
            conversation_id=None,
            may_open=False,
            at=at,
            kind=kind,
            data={
                **self.extras(),
                "systemInfo": _system_info(self.system_info),
                "message": self.message,
                "connectedAt": iso(self.connected_at) if self.connected_at else None,
            },
            is_told=True,
        )

    def answer(self, recorded: Recorded) -> Json:
        return {
            "success": True,
            "message": "AgentPipe is listening",
            "received_at": recorded.id,
        }


class Unknown(Snake):
    """A kind from a newer tool: kept as it came."""

    conversation_id: MaybeId = None

    status: ClassVar[int] = 200

    def change(self, kind: str, at: datetime) -> Change:
        return KeepEvent(
            conversation_id=self.conversation_id,
            may_open=False,
            at=at,
            kind=kind,
            data={**self.extras(), "conversation_id": self.conversation_id},
            is_told=False,
        )

    def answer(self, recorded: Recorded) -> Json:
        return {"success": True}


SYSTEM_NAMES = {
    "agentpipe_version": "agentpipeVersion",
    "os_version": "osVersion",
    "go_version": "goVersion",
    "arch": "architecture",
}


def _system_info(given: Json | None) -> Json | None:
    if given is None:
        return None
    return {SYSTEM_NAMES.get(name, name): value for name, value in given.items()}


KINDS: dict[str, type[Any]] = {
    "bridge.connected": Bridge,
    "bridge.test": Bridge,
    "conversation.started": Started,
    "message.created": MessageCreated,
    "conversation.completed": Completed,
    "conversation.error": Error,
    "log.entry": LogEntry,
}
