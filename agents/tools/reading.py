"""Reading a conversation: a few of its messages in order, around one of them or from one on."""

from django.db.models import QuerySet, Value
from django.db.models.functions import Length, Substr

from agents.backends.base import Json
from agents.errors import ToolFailed
from agents.tools.searching import shown
from conversations.models import Conversation, Message, Project
from streaming.events import iso

IN_ORDER = ("sequence_number", "timestamp", "id")
BACKWARDS = ("-sequence_number", "-timestamp", "-id")
LONGEST_TEXT = 4000
MOST_CHARACTERS = 40_000
# Of those that are read around a message, such a part comes before it.
BEFORE = 3


def read(
    project: Project, conversation_id: str, *, around: str | None, start: int | None, limit: int
) -> Json:
    """Raises ToolFailed where the project has no such conversation that was recorded."""
    found = project.conversations.filter(
        public_id=conversation_id, kind=Conversation.Kind.RECORDED
    ).first()
    if found is None:
        raise ToolFailed(f"There is no conversation {conversation_id}")
    texts = found.messages.annotate(
        text=Substr("content", 1, Value(LONGEST_TEXT)), length=Length("content")
    ).defer("content")
    if around is not None:
        messages = _around(found, texts, around, limit)
    else:
        messages = list(texts.filter(sequence_number__gte=start or 0).order_by(*IN_ORDER)[:limit])
    participants = [str(who) for who in found.participants.order_by("position")]
    told = _no_more_than(MOST_CHARACTERS, [_message(message) for message in messages])
    return {
        **shown(found, list(dict.fromkeys(filter(None, participants)))),
        "prompt": found.initial_prompt[:LONGEST_TEXT],
        "read": told,
    }


def _around(
    conversation: Conversation, texts: QuerySet[Message], public_id: str, limit: int
) -> list[Message]:
    # Ids are looked up by project: a conversation is as long as it likes.
    named = Message.objects.filter(project=conversation.project_id, public_id=public_id)
    number = named.filter(conversation=conversation).values_list("sequence_number", flat=True)
    place = number.first()
    if place is None:
        raise ToolFailed(f"There is no message {public_id} in it")
    before = texts.filter(sequence_number__lt=place).order_by(*BACKWARDS)[: limit // BEFORE]
    after = texts.filter(sequence_number__gte=place).order_by(*IN_ORDER)
    first = list(before)[::-1]
    return [*first, *after[: limit - len(first)]]


def _message(message: Message) -> Json:
    # Both are annotations, which the model does not know.
    text: str = message.text  # type: ignore[attr-defined]
    length: int = message.length  # type: ignore[attr-defined]
    left_out = length - len(text)
    return {
        "id": message.public_id,
        "number": message.sequence_number,
        "agent": message.agent_name or message.agent_type,
        "role": message.role,
        "time": iso(message.timestamp),
        "text": f"{text}… [{left_out} more characters]" if left_out > 0 else text,
    }


def _no_more_than(limit: int, messages: list[Json]) -> list[Json]:
    size = 0
    for place, message in enumerate(messages):
        size += len(message["text"])
        if size > limit:
            return messages[: max(place, 1)]
    return messages
