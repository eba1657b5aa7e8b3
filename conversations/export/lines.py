"""A conversation as lines of JSON, in the shapes of history: itself first, then its messages."""

import json
from collections.abc import Iterator
from typing import Any

from conversations.events import conversation_shape, message_shape
from conversations.export.reading import pages
from conversations.models import Conversation


def write(conversation: Conversation, *, until: int) -> Iterator[bytes]:
    participants = list(conversation.participants.all())
    project = conversation.project.slug
    yield _line(conversation_shape(conversation, participants, project=project)).encode()
    for page in pages(conversation, until=until):
        shapes = (message_shape(each, conversation=conversation.public_id) for each in page)
        yield "".join(map(_line, shapes)).encode()


def _line(shape: dict[str, Any]) -> str:
    written = json.dumps(shape, ensure_ascii=False, separators=(",", ":"))
    # They end a line for those who split text as Unicode has it.
    for separator in ("\u0085", "\u2028", "\u2029"):
        written = written.replace(separator, f"\\u{ord(separator):04x}")
    return f"{written}\n"
