"""The camelCase dialect: strict, and the record gives the ids."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from django.utils import timezone
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from conversations.changes import (
    AddMessage,
    Change,
    EndConversation,
    Json,
    NewParticipant,
    NoteError,
    Recorded,
    StartConversation,
)
from conversations.ingest.types import Cost, Object, Positive, Text, Time, Whole
from streaming.events import iso

Mode = Literal["round-robin", "reactive", "free-form"]
Status = Literal["ACTIVE", "COMPLETED", "INTERRUPTED", "ERROR"]
ConversationId = Annotated[Text, Field(pattern=r"^c[a-z0-9]{24}\z")]


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class Metrics(Camel):
    duration: Positive | None = None
    input_tokens: Whole | None = None
    output_tokens: Whole | None = None
    total_tokens: Whole | None = None
    model: Annotated[Text, Field(min_length=1)] | None = None
    cost: Cost | None = None


class ParticipantConfig(Camel):
    agent_id: Annotated[Text, Field(min_length=1, max_length=100)]
    agent_type: Annotated[Text, Field(min_length=1, max_length=50)]
    agent_name: Annotated[Text, Field(min_length=1, max_length=100)]
    agent_version: Annotated[Text, Field(max_length=20)] | None = None
    model: Annotated[Text, Field(max_length=100)] | None = None
    prompt: Annotated[Text, Field(max_length=10_000)] | None = None
    announcement: Annotated[Text, Field(max_length=500)] | None = None
    settings: Object | None = None

    def as_new(self) -> NewParticipant:
        return NewParticipant(
            agent_id=self.agent_id,
            agent_type=self.agent_type,
            agent_name=self.agent_name,
            agent_version=self.agent_version or "",
            model=self.model or "",
            prompt=self.prompt or "",
            announcement=self.announcement or "",
            settings=self.settings or {},
        )


class MessageData(Camel):
    agent_id: Annotated[Text, Field(min_length=1)]
    agent_name: Annotated[Text, Field(min_length=1)]
    agent_type: Annotated[Text, Field(min_length=1)]
    agent_version: Text | None = None
    content: Annotated[Text, Field(min_length=1, max_length=100_000)]
    role: Literal["agent", "user", "system"]
    timestamp: Time
    sequence_number: Whole | None = None
    metrics: Metrics | None = None


class Started(Camel):
    name: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    mode: Mode
    max_turns: Annotated[Positive, Field(le=1000)] | None = None
    initial_prompt: Annotated[Text, Field(min_length=1, max_length=10_000)]
    participants: Annotated[list[ParticipantConfig], Field(min_length=1, max_length=50)]
    metadata: Object | None = None

    status: ClassVar[int] = 201

    def change(self, kind: str, at: datetime) -> Change:
        return StartConversation(
            conversation_id=None,
            at=at,
            name=self.name or f"Conversation {iso(at)}",
            mode=self.mode,
            initial_prompt=self.initial_prompt,
            max_turns=self.max_turns,
            source="cli",
            participants=[participant.as_new() for participant in self.participants],
            metadata={
                **(self.metadata or {}),
                "source": "cli",
                "ingestedAt": iso(timezone.now()),
            },
        )

    def answer(self, recorded: Recorded) -> Json:
        return {"conversationId": recorded.id, "status": "created"}


class MessageCreated(Camel):
    conversation_id: ConversationId
    message: MessageData

    status: ClassVar[int] = 201

    def change(self, kind: str, at: datetime) -> Change:
        metrics = self.message.metrics or Metrics()
        return AddMessage(
            conversation_id=self.conversation_id,
            may_open=False,
            message_id=None,
            at=self.message.timestamp,
            agent_id=self.message.agent_id,
            agent_name=self.message.agent_name,
            agent_type=self.message.agent_type,
            agent_version=self.message.agent_version or "",
            role=self.message.role,
            content=self.message.content,
            sequence_number=self.message.sequence_number,
            turn_number=None,
            model=metrics.model or "",
            duration_ms=metrics.duration,
            input_tokens=metrics.input_tokens,
            output_tokens=metrics.output_tokens,
            total_tokens=metrics.total_tokens,
            cost=metrics.cost,
            metadata={},
        )

    def answer(self, recorded: Recorded) -> Json:
        return {"messageId": recorded.id, "status": "created"}


class Ended(Camel):
    status: ClassVar[int] = 200

    conversation_id: ConversationId

    def answer(self, recorded: Recorded) -> Json:
        return {"success": True}

    def reported(self) -> Json:
        totals = {"total_messages", "total_tokens", "total_cost", "total_duration"}
        given = self.model_dump(include=totals, by_alias=True, exclude_none=True)
        return {
            name: value if isinstance(value, int) else float(value) for name, value in given.items()
        }


class Completed(Ended):
    total_messages: Whole
    total_tokens: Whole
    total_cost: Cost
    total_duration: Whole
    completion_reason: Annotated[Text, Field(max_length=100)] | None = None

    def change(self, kind: str, at: datetime) -> Change:
        reason = self.completion_reason
        return EndConversation(
            conversation_id=self.conversation_id,
            may_open=False,
            at=at,
            status="COMPLETED",
            reported=self.reported(),
            metadata={} if reason is None else {"completionReason": reason},
            reason=reason,
        )


class Interrupted(Ended):
    reason: Annotated[Text, Field(max_length=500)] | None = None
    total_messages: Whole | None = None
    total_tokens: Whole | None = None
    total_cost: Cost | None = None
    total_duration: Whole | None = None

    def change(self, kind: str, at: datetime) -> Change:
        return EndConversation(
            conversation_id=self.conversation_id,
            may_open=False,
            at=at,
            status="INTERRUPTED",
            reported=self.reported(),
            metadata={} if self.reason is None else {"interruptReason": self.reason},
            reason=self.reason,
        )


class ErrorOccurred(Camel):
    # The Go client sends the empty string where there is no conversation.
    conversation_id: Annotated[
        ConversationId | None, BeforeValidator(lambda value: None if value == "" else value)
    ] = None
    error: Annotated[Text, Field(min_length=1, max_length=1000)]
    error_code: Annotated[Text, Field(max_length=50)] | None = None
    agent_id: Annotated[Text, Field(max_length=100)] | None = None
    details: Object | None = None

    status: ClassVar[int] = 200

    def change(self, kind: str, at: datetime) -> Change:
        return NoteError(
            conversation_id=self.conversation_id,
            may_open=False,
            at=at,
            kind=kind,
            message=self.error,
            sets_status=False,
            data=self.model_dump(by_alias=True),
        )

    def answer(self, recorded: Recorded) -> Json:
        return {"success": True}


KINDS: dict[str, type[Any]] = {
    "conversation.started": Started,
    "message.created": MessageCreated,
    "conversation.completed": Completed,
    "conversation.interrupted": Interrupted,
    "error.occurred": ErrorOccurred,
}
