"""Writes a section of a website: headline, subheadline, body and call to action, one by one.

Each part is kept when it is finished: after an interruption the writer goes on with the one that
was being written.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence

from agents.backends.base import Assignment, Scribe, Todo
from agents.backends.writer.composing import compose
from agents.backends.writer.form import CLOSING, OPENINGS, PARTS
from agents.errors import BackendFailed

# About as fast as a model.
WORDS_A_PIECE = 3
PAUSE_S = 0.03
DEFAULT_SECTION = "hero"
NAMES = {
    "headline": "Headline",
    "subheadline": "Subheadline",
    "body": "Body",
    "cta": "Call to action",
}

# “Section: about”, and behind it the brief; a prompt without it is a brief.
TASK = re.compile(r"\s*Section:[ \t]*([^\n]{1,200})\n+(.*)", re.DOTALL | re.IGNORECASE)


class Writer:
    """Composes from the brief itself, without a model."""

    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        section, brief = read_task(assignment.prompt)
        if not brief.strip():
            raise BackendFailed("A brief is needed: say what the website is about")
        state = assignment.state or {}
        parts: dict[str, str] = dict(state.get("parts", {}))
        for part in PARTS:
            if part in parts:
                continue
            await scribe.plan(_plan(part))
            await scribe.say(OPENINGS[part])
            parts[part] = await self.write(part, section, brief, parts, assignment, scribe)
            if part == PARTS[-1]:
                await scribe.say(CLOSING)
            await scribe.keep({"parts": dict(parts)})
        await scribe.plan(_plan(None))

    async def write(
        self,
        part: str,
        section: str,
        brief: str,
        above: Mapping[str, str],
        assignment: Assignment,
        scribe: Scribe,
    ) -> str:
        """Tell a part while it is written; the answer is the whole of it."""
        said = compose(section, brief)[part]
        words = re.findall(r"\S+\s*", said)
        for place in range(0, len(words), WORDS_A_PIECE):
            await scribe.say("".join(words[place : place + WORDS_A_PIECE]))
            await asyncio.sleep(PAUSE_S)
        return said


def read_task(prompt: str) -> tuple[str, str]:
    """Which section is asked for, and the brief."""
    asked = TASK.fullmatch(prompt)
    return (asked[1].strip(), asked[2]) if asked else (DEFAULT_SECTION, prompt)


def _plan(current: str | None) -> Sequence[Todo]:
    """With the part that is written now, or where all are."""
    at = PARTS.index(current) if current else len(PARTS)
    return [
        Todo(
            id=part,
            text=NAMES[part],
            status=("completed" if place < at else "in_progress" if place == at else "pending"),
        )
        for place, part in enumerate(PARTS)
    ]
