"""A whole session as it is uploaded: the only validation of it, and the change it asks for."""

from typing import Annotated, ClassVar

from django.utils import timezone
from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from conversations.changes import AddMessage, AddSession, Json, Recorded, StartConversation
from conversations.ingest.camel import Camel, MessageData, Metrics, Mode, ParticipantConfig, Status
from conversations.ingest.dispatch import EXPECTED_OBJECT, Answer, detail, fingerprint_of, refusal
from conversations.ingest.types import Object, Positive, Text, Time, Whole
from conversations.models import new_id
from streaming.events import iso

MOST_MESSAGES = 10_000


class SessionData(Camel):
    name: Annotated[Text, Field(min_length=1, max_length=200)]
    mode: Mode
    max_turns: Annotated[Positive, Field(le=1000)] | None = None
    initial_prompt: Annotated[Text, Field(min_length=1, max_length=10_000)]
    status: Status
    started_at: Time
    completed_at: Time | None = None
    total_duration: Whole | None = None
    metadata: Object | None = None


class SessionUpload(Camel):
    session: SessionData
    participants: Annotated[list[ParticipantConfig], Field(min_length=1, max_length=50)]
    messages: Annotated[list[MessageData], Field(max_length=MOST_MESSAGES)]

    status: ClassVar[int] = 201

    @model_validator(mode="after")
    def agrees_with_itself(self) -> "SessionUpload":
        faults: list[InitErrorDetails] = []
        known = {participant.agent_id for participant in self.participants}
        if not all(message.agent_id in known for message in self.messages):
            faults.append(
                _fault("messages", text="All message agentIds must exist in participants array")
            )
        ended_at = self.session.completed_at
        if ended_at and ended_at <= self.session.started_at:
            faults.append(
                _fault("session", "completedAt", text="completedAt must be after startedAt")
            )
        if faults:
            raise ValidationError.from_exception_data("SessionUpload", faults)
        return self

    def change(self) -> AddSession:
        given = self.session
        metadata = given.metadata or {}
        conversation_id = new_id()
        return AddSession(
            start=StartConversation(
                conversation_id=conversation_id,
                at=given.started_at,
                name=given.name,
                mode=given.mode,
                initial_prompt=given.initial_prompt,
                max_turns=given.max_turns,
                source="cli",
                participants=[participant.as_new() for participant in self.participants],
                metadata={
                    **metadata,
                    "source": "cli",
                    "uploadedAt": iso(timezone.now()),
                    "isHistoricalUpload": True,
                },
            ),
            messages=[_message(message, conversation_id) for message in self.messages],
            status=given.status,
            completed_at=given.completed_at,
            duration_ms=given.total_duration or None,
            original=_original(metadata.get("originalId")),
        )

    def answer(self, recorded: Recorded) -> Json:
        metrics = [message.metrics for message in self.messages if message.metrics]
        return {
            "success": True,
            "conversationId": recorded.id,
            "messagesCreated": len(self.messages),
            "participantsCreated": len(self.participants),
            "totalTokens": sum(given.total_tokens or 0 for given in metrics),
            "totalCost": float(sum(given.cost or 0 for given in metrics)),
        }


def read_session(body: object) -> SessionUpload | Answer:
    """Understand a session, or say all that is wrong with it."""
    if not isinstance(body, dict):
        return refusal([([], EXPECTED_OBJECT, "invalid_type")])
    try:
        return SessionUpload.model_validate(body)
    except ValidationError as error:
        return refusal([detail(fault) for fault in error.errors(include_url=False)])


def _fault(*path: str, text: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("custom", text), loc=path, input=None)


def _original(given: object) -> bytes | None:
    """What is empty, zero or false is no id."""
    return fingerprint_of("original", given) if given or isinstance(given, dict | list) else None


def _message(given: MessageData, conversation_id: str) -> AddMessage:
    metrics = given.metrics or Metrics()
    return AddMessage(
        conversation_id=conversation_id,
        may_open=False,
        message_id=None,
        at=given.timestamp,
        agent_id=given.agent_id,
        agent_name=given.agent_name,
        agent_type=given.agent_type,
        agent_version=given.agent_version or "",
        role=given.role,
        content=given.content,
        sequence_number=given.sequence_number,
        turn_number=None,
        model=metrics.model or "",
        duration_ms=metrics.duration,
        input_tokens=metrics.input_tokens,
        output_tokens=metrics.output_tokens,
        total_tokens=metrics.total_tokens,
        cost=metrics.cost,
        metadata={},
    )
