"""The messages of a conversation in order, from any place in it."""

from datetime import UTC

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from rest_framework.exceptions import ValidationError

from conversations.api import lists
from conversations.models import Conversation, Message

IN_ORDER = ("sequence_number", "timestamp", "id")


def messages_of(conversation: Conversation) -> QuerySet[Message]:
    return conversation.messages.select_related("conversation")


def beside(
    conversation: Conversation, cursor: tuple[str, str], *, size: int
) -> tuple[list[Message], bool]:
    """So many messages next to a message, and whether there are more that way."""
    return lists.stretch(
        messages_of(conversation),
        cursor=cursor,
        size=size,
        order=IN_ORDER,
        known=known_of(conversation),
    )


def known_of(conversation: Conversation) -> QuerySet[Message]:
    # Ids are looked up by project: a conversation is as long as it likes.
    return conversation.messages.filter(project=conversation.project_id)


def first_since(conversation: Conversation, written: str) -> Message | None:
    """The first message that is not older than a time, in UTC unless told.

    Raises ValidationError where it is no time.
    """
    try:
        moment = parse_datetime(written)
    except ValueError:
        moment = None
    if moment is None:
        raise ValidationError({"at": "Expected a time, as 2026-11-21T10:00:00Z"})
    if is_naive(moment):
        moment = moment.replace(tzinfo=UTC)
    # In the order of its index, which tells the times, too: nothing else is read.
    return messages_of(conversation).filter(timestamp__gte=moment).order_by(*IN_ORDER).first()
