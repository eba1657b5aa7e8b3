"""The messages that a page of a conversation begins with; its element reads on both ways."""

from dataclasses import dataclass

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from conversations.api.lists import cursor_of
from conversations.api.messages import beside, first_since, known_of, messages_of
from conversations.models import Conversation, Message

SIZE = 50
# Of the messages around one that was asked for, so many stand before it.
BEFORE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    messages: list[Message]
    has_earlier: bool
    has_later: bool
    # The message that was asked for.
    target: str = ""

    @property
    def last_id(self) -> str:
        return self.messages[-1].public_id if self.messages else ""


def window_of(request: Request, conversation: Conversation) -> Window:
    """What the address asks for; else a live one's end, and the beginning of one that is over."""
    query = request.query_params
    if public_id := query.get("message"):
        return _around(conversation, _known(conversation, public_id))
    if at := query.get("at"):
        found = first_since(conversation, at)
        return _around(conversation, found) if found else _end(conversation)
    cursor = cursor_of(request)
    if cursor is not None:
        return _beside(conversation, cursor)
    is_live = conversation.status == Conversation.Status.ACTIVE
    return _end(conversation) if is_live else _beside(conversation, ("after", ""))


def _beside(conversation: Conversation, cursor: tuple[str, str]) -> Window:
    name, public_id = cursor
    messages, has_more = beside(conversation, cursor, size=SIZE)
    is_backwards = name == "before"
    return Window(
        messages=messages,
        has_earlier=has_more if is_backwards else bool(public_id),
        has_later=bool(public_id) if is_backwards else has_more,
    )


def _end(conversation: Conversation) -> Window:
    return _beside(conversation, ("before", ""))


def _around(conversation: Conversation, message: Message) -> Window:
    public_id = message.public_id
    earlier, has_earlier = beside(conversation, ("before", public_id), size=BEFORE)
    later, has_later = beside(conversation, ("after", public_id), size=SIZE - BEFORE - 1)
    return Window(
        messages=[*earlier, message, *later],
        has_earlier=has_earlier,
        has_later=has_later,
        target=public_id,
    )


def _known(conversation: Conversation, public_id: str) -> Message:
    known = known_of(conversation) if "\0" not in public_id else Message.objects.none()
    found = messages_of(conversation).filter(pk__in=known.filter(public_id=public_id)).first()
    if found is None:
        raise ValidationError({"message": "There is no such message in this conversation"})
    return found
