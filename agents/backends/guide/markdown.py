"""Pieces of Markdown: conversations as links and lines, and what was recorded as plain text."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from agents.backends.base import Json
from agents.backends.guide.question import Question

SPECIAL = re.compile(r"([\\`*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_]))")
MOST_AGENTS_NAMED = 4
MOST_NAMED = 4
PIECE = re.compile(r"\s*\S+(?:[^\S\n]+\S+){0,3}[^\S\n]*|\s+")
METRICS = ("conversations", "messages", "tokens", "cost")
STATUS = {
    "ACTIVE": "active",
    "COMPLETED": "completed",
    "INTERRUPTED": "interrupted",
    "ERROR": "failed",
}


def pieces(text: str) -> Iterator[str]:
    """A few words at a time; together they are the text."""
    for words in PIECE.findall(text):
        # Scripts without spaces have long words.
        for start in range(0, len(words), 40):
            yield words[start : start + 40]


def plain(text: str) -> str:
    """What was recorded, so that none of it is read as Markdown."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def sources_of(conversations: Sequence[Json]) -> str:
    return f"### Sources\n\n{listed(conversations)}"


def see_also(conversations: Sequence[Json]) -> str:
    named = [f"{link(one)} ({time_of(one['started_at'])})" for one in conversations[:MOST_NAMED]]
    return f"See also {', '.join(named)}."


def listed(conversations: Sequence[Json]) -> str:
    return "\n".join(line(number, one) for number, one in enumerate(conversations, 1))


def line(number: int, one: Json) -> str:
    agents = [plain(name) for name in one["agents"][:MOST_AGENTS_NAMED]]
    facts = [
        time_of(one["started_at"]),
        ", ".join(agents),
        STATUS[one["status"]],
        counted(one["messages"], "message"),
    ]
    return f"{number}. {link(one)} · {' · '.join(filter(None, facts))}"


def link(one: Json) -> str:
    return f"[{plain(one['name'])}](/conversations/{quote(one['id'], safe='')})"


def by(agent: str) -> str:
    return f" — {plain(agent)}" if agent else ""


def time_of(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")


def counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def totals(of: Json) -> str:
    named = [amount_of(of, metric) for metric in METRICS]
    return ", ".join(named if of["conversations"] else named[1:])


def amount_of(of: Json, metric: str) -> str:
    if metric == "cost":
        return f"${of['cost']:,.4f}"
    return counted(of[metric], metric.removesuffix("s"))


def about(question: Question) -> str:
    return ", ".join(
        f"**{plain(word)}**" for word in [*(f"“{it}”" for it in question.phrases), *question.words]
    )


def narrowing(question: Question) -> str:
    parts = []
    if question.agent:
        parts.append(f"with {plain(question.agent)}")
    if question.status:
        parts.append(
            f"that {'is' if question.status == 'ACTIVE' else ''} {STATUS[question.status]}"
        )
    if question.span:
        parts.append(question.span.label)
    return "".join(f" {' '.join(part.split())}" for part in parts)
