"""A conversation as Markdown: what was said stands in it as it was said.

Before each text comes a comment with a mark that the text cannot know, so that no text passes for
another message; and a fence that a text leaves open is closed behind it.
"""

import re
from collections.abc import Iterator

from django.utils.crypto import salted_hmac

from conversations.export.facts import (
    facts_of,
    facts_of_message,
    facts_of_participant,
    name_of,
    title_of,
)
from conversations.export.fences import left_open
from conversations.export.reading import pages
from conversations.models import Conversation, Message, Participant

SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&])")


def write(conversation: Conversation, *, until: int) -> Iterator[bytes]:
    # Not random: twice exported is twice the same.
    mark = salted_hmac("conversations.export", str(conversation.pk)).hexdigest()[:12]
    yield "\n".join(_opening(conversation, mark)).encode()
    number = 0
    for page in pages(conversation, until=until):
        said = (_message(message, number + place, mark) for place, message in enumerate(page, 1))
        yield "".join(said).encode()
        number += len(page)
    yield f"\n<!-- {mark} end: {number} messages -->\n".encode()


def _opening(conversation: Conversation, mark: str) -> Iterator[str]:
    yield f"# {_inline(title_of(conversation))}"
    yield f"\n<!-- {mark} stands before every text; what else looks like a heading was said. -->\n"
    for name, value in facts_of(conversation):
        yield f"- **{name}:** {_inline(value)}"
    yield "\n## Participants\n"
    for participant in conversation.participants.all():
        yield _participant(participant)
    yield f"\n## Prompt\n{_text(conversation.initial_prompt, f'{mark} prompt')}"
    summary = (conversation.summary or {}).get("text")
    if isinstance(summary, str):
        yield f"## Summary\n{_text(summary, f'{mark} summary')}"
    yield "## Messages\n"


def _participant(participant: Participant) -> str:
    facts = [f"{name} {_inline(value)}" for name, value in facts_of_participant(participant)]
    return " · ".join([f"- **{_inline(name_of(participant))}**", *facts])


def _message(message: Message, number: int, mark: str) -> str:
    facts = " · ".join(_inline(value) for _, value in facts_of_message(message))
    name = _inline(name_of(message))
    text = _text(message.content, f"{mark} message {number}")
    return f"\n### {number}. {name}\n\n{facts}\n{text}"


def _text(text: str, mark: str) -> str:
    fence = left_open(text)
    closing = f"\n{fence}" if fence else ""
    return f"\n<!-- {mark} -->\n\n{text}{closing}\n"


def _inline(text: str) -> str:
    """A text within a line, meaning nothing but itself."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))
