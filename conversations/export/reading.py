"""The messages of a conversation, page by page: whoever reads slowly holds no connection."""

from collections.abc import Iterator
from typing import Any

from django.db.models import BooleanField, IntegerField, Max
from django.db.models.expressions import RawSQL

from conversations.errors import ConversationNotFound
from conversations.models import Conversation, Message

ORDER = ("sequence_number", "timestamp", "id")
PAGE = 500
# A message may be a megabyte long, and five hundred of them more than a server has to spare.
PAGE_BYTES = 1024 * 1024
SIZE = RawSQL("octet_length(conversations_message::text)", (), output_field=IntegerField())


def latest() -> int:
    """The moment of an export: what is recorded after it has a larger key, and is left out."""
    newest: int | None = Message.objects.aggregate(newest=Max("pk"))["newest"]
    return newest or 0


def pages(conversation: Conversation, *, until: int) -> Iterator[list[Message]]:
    """The messages in order, each page by queries of its own.

    Raises ConversationNotFound where the conversation is deleted before the last page was read.
    """
    messages = conversation.messages.filter(pk__lte=until).order_by(*ORDER)
    later = messages
    while places := list(later.values_list(*ORDER, SIZE)[:PAGE]):
        keys = list(_that_fit(places))
        page = list(Message.objects.filter(pk__in=keys).order_by(*ORDER))
        if len(page) < len(keys):
            raise ConversationNotFound
        yield page
        later = messages.filter(_behind(page[-1]))
    # A conversation without its messages looks like one that has been read to its end.
    if not Conversation.objects.filter(pk=conversation.pk).exists():
        raise ConversationNotFound


def _that_fit(places: list[Any]) -> Iterator[int]:
    """The keys of the first messages that are not too large together; at least of one."""
    room = PAGE_BYTES
    for number, (_, _, key, size) in enumerate(places):
        room -= size
        if number and room < 0:
            return
        yield key


def _behind(message: Message) -> RawSQL:
    """One comparison of rows, that the index answers."""
    return RawSQL(
        "(conversations_message.sequence_number, conversations_message.timestamp,"
        " conversations_message.id) > (%s, %s, %s)",
        (message.sequence_number, message.timestamp, message.pk),
        output_field=BooleanField(),
    )
