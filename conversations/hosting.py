"""Conversations that take place here: what is asked and answered, instead of delivered.

Called inside a transaction that holds the conversation's row, except to open one.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from conversations import events, metrics, search
from conversations.changes import Json
from conversations.errors import ConversationNotFound
from conversations.models import Conversation, Message, Project
from streaming.publish import publish

CHAT_MODE = "chat"
CHAT_SOURCE = "chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    agent_id: str
    agent_type: str
    agent_name: str
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was used for a message, beyond what is counted of it already."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)
    duration_ms: int = 0


def open_chat(
    project: Project, *, public_id: str, name: str, metadata: Json | None = None
) -> Conversation:
    conversation = Conversation.objects.create(
        project=project,
        public_id=public_id,
        kind=Conversation.Kind.CHAT,
        name=name,
        mode=CHAT_MODE,
        source=CHAT_SOURCE,
        metadata=metadata or {},
        started_at=timezone.now(),
        # As they come back from the database.
        total_tokens=Decimal(0),
        total_cost=Decimal(0),
        total_duration_ms=Decimal(0),
    )
    search.queue(project.pk, named=[conversation.pk], messages=[])
    _publish(conversation, events.conversation_started(conversation, [], project=project.slug))
    return conversation


def lock(conversation_id: int) -> Conversation:
    found = (
        Conversation.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .filter(pk=conversation_id)
        .first()
    )
    if found is None:
        raise ConversationNotFound
    return found


def add_question(
    conversation: Conversation,
    *,
    public_id: str,
    asker: Speaker,
    content: str,
    metadata: Json,
) -> Message:
    if not conversation.initial_prompt:
        conversation.initial_prompt = content
        search.queue(conversation.project_id, named=[conversation.pk], messages=[])
    question = _add(
        conversation, asker, public_id=public_id, role="user", content=content, metadata=metadata
    )
    search.queue(conversation.project_id, named=[], messages=[(conversation.pk, question.pk)])
    _publish(conversation, events.message_created(question, conversation=conversation.public_id))
    return question


def add_answer(conversation: Conversation, *, public_id: str, answerer: Speaker) -> Message:
    """An answer to come: it is told of when it is there."""
    return _add(conversation, answerer, public_id=public_id, role="assistant", status="pending")


def complete_answer(
    conversation: Conversation, answer: Message, *, content: str, status: str, spent: Spent
) -> None:
    """What an answer has come to, also where it was cut short."""
    if answer.content:
        search.forget(answer)
    answer.content = content
    answer.status = status
    spend(conversation, answer, spent)
    answer.save(update_fields=["content", "status"])
    if content:
        search.queue(conversation.project_id, named=[], messages=[(conversation.pk, answer.pk)])
    _publish(conversation, events.message_created(answer, conversation=conversation.public_id))


def spend(conversation: Conversation, message: Message, spent: Spent) -> None:
    """Count what was used for a message that is there already."""
    message.input_tokens = (message.input_tokens or 0) + spent.input_tokens
    message.output_tokens = (message.output_tokens or 0) + spent.output_tokens
    message.total_tokens = message.input_tokens + message.output_tokens
    message.cost = (message.cost or Decimal(0)) + spent.cost
    message.duration_ms = (message.duration_ms or 0) + spent.duration_ms
    message.save(
        update_fields=["input_tokens", "output_tokens", "total_tokens", "cost", "duration_ms"]
    )
    tokens = spent.input_tokens + spent.output_tokens
    conversation.total_tokens += tokens
    conversation.total_cost += spent.cost
    conversation.total_duration_ms += spent.duration_ms
    _touch(conversation, "total_tokens", "total_cost", "total_duration_ms")
    metrics.count_more(
        message,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        cost=spent.cost,
        duration_ms=spent.duration_ms,
    )


def shape_of(message: Message, conversation: Conversation) -> Json:
    return events.message_shape(message, conversation=conversation.public_id)


def _add(
    conversation: Conversation,
    speaker: Speaker,
    *,
    public_id: str,
    role: str,
    content: str = "",
    status: str = "completed",
    metadata: Json | None = None,
) -> Message:
    now = timezone.now()
    conversation.last_sequence_number += 1
    conversation.total_messages += 1
    conversation.note_agents(speaker.agent_id, speaker.agent_type)
    message = Message.objects.create(
        project=conversation.project,
        conversation=conversation,
        public_id=public_id,
        agent_id=speaker.agent_id,
        agent_type=speaker.agent_type,
        agent_name=speaker.agent_name,
        model=speaker.model,
        role=role,
        content=content,
        status=status,
        metadata=metadata or {},
        timestamp=now,
        created_at=now,
        sequence_number=conversation.last_sequence_number,
    )
    metrics.count(conversation.project, [message])
    _touch(conversation, "initial_prompt", "last_sequence_number", "total_messages", "agents")
    return message


def _touch(conversation: Conversation, *fields: str, at: datetime | None = None) -> None:
    conversation.updated_at = at or timezone.now()
    conversation.save(update_fields=[*fields, "updated_at"])


def _publish(conversation: Conversation, event: events.IngestEvent) -> None:
    publish(event, conversation.project.topic, conversation.topic)
