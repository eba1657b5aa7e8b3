"""A conversation as one page that needs nothing else and does nothing: no script, no request."""

import zlib
from collections.abc import Iterator
from pathlib import Path

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from conversations.export.facts import (
    facts_of,
    facts_of_message,
    facts_of_participant,
    name_of,
    title_of,
)
from conversations.export.fences import blocks
from conversations.export.reading import pages
from conversations.models import Conversation, Message, Participant

STYLE = mark_safe(Path(__file__).with_name("page.css").read_text())  # noqa: S308 - our own file
COLOURS = 6

HEAD = """\
<!doctype html>
<html lang="und">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1 dir="auto">{title}</h1>
<dl>
{facts}
</dl>
{participants}
<h2>Prompt</h2>
<section>{prompt}</section>
{summary}
<h2>Messages</h2>
<ol>
"""
MESSAGE = """\
<li id="m{number}"><article class="agent-{colour}">
<header><bdi class="name">{name}</bdi>
<div class="facts"><a class="number" href="#m{number}">{number}</a> {facts}</div></header>
{text}
</article></li>
"""
TAIL = """\
</ol>
</main>
<footer>{number} messages. Exported by AgentPipe.</footer>
</body>
</html>
"""


def write(conversation: Conversation, *, until: int) -> Iterator[bytes]:
    yield _head(conversation).encode()
    number = 0
    for page in pages(conversation, until=until):
        said = (_message(message, number + place) for place, message in enumerate(page, 1))
        yield "".join(said).encode()
        number += len(page)
    yield format_html(TAIL, number=number).encode()


def _head(conversation: Conversation) -> SafeString:
    participants = conversation.participants.all()
    summary = (conversation.summary or {}).get("text")
    return format_html(
        HEAD,
        title=title_of(conversation),
        style=STYLE,
        facts=format_html_join(
            "\n", '<div><dt>{}</dt><dd dir="auto">{}</dd></div>', facts_of(conversation)
        ),
        participants=_participants(list(participants)),
        prompt=_text(conversation.initial_prompt),
        summary=format_html("<h2>Summary</h2>\n<section>{}</section>", _text(summary))
        if isinstance(summary, str)
        else "",
    )


def _participants(participants: list[Participant]) -> SafeString:
    items = (
        (name_of(participant), _facts(facts_of_participant(participant)))
        for participant in participants
    )
    cards = '<li><bdi class="name">{}</bdi><div class="facts">{}</div></li>'
    shown = format_html_join("\n", cards, items)
    return format_html('<h2>Participants</h2>\n<ul class="participants">\n{}\n</ul>', shown)


def _message(message: Message, number: int) -> SafeString:
    return format_html(
        MESSAGE,
        number=number,
        colour=zlib.crc32((message.agent_id or message.agent_type).encode()) % COLOURS,
        name=name_of(message),
        facts=_facts(facts_of_message(message)),
        text=_text(message.content),
    )


def _facts(facts: Iterator[tuple[str, str]]) -> SafeString:
    return format_html_join(" ", '<bdi title="{}">{}</bdi>', facts)


def _text(text: str) -> SafeString:
    """As it was written; fenced code in a face of its own."""
    if not text.strip():
        return mark_safe('<div class="empty">Nothing was said.</div>')
    return format_html_join(
        "",
        '<div class="{}" dir="auto">{}</div>',
        (("code" if is_code else "text", block) for is_code, block in blocks(text)),
    )
