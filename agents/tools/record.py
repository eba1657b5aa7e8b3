"""The tools that look into the record of one project."""

import json
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from agents.backends.base import Json, Result, Tool
from agents.summaries import cleaned
from agents.tools.database import in_database
from agents.tools.figures import figures
from agents.tools.reading import read
from agents.tools.ready import Arguments, ReadyTool, counted
from agents.tools.searching import Wanted, search
from conversations.models import Project


def _in_some_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_in_some_zone)]
Text = Annotated[str, AfterValidator(cleaned)]


class Narrowed(Arguments):
    agent: Text = Field("", description="Only conversations with this agent: a name, type or id")
    status: Literal["", "ACTIVE", "COMPLETED", "INTERRUPTED", "ERROR"] = ""
    since: Moment | None = Field(None, description="Begun at or after this time")
    until: Moment | None = Field(None, description="Begun before this time")


class ToSearch(Narrowed):
    query: Text = Field(
        "",
        max_length=1000,
        description=(
            'Words, "phrases", beginnings* and -exclusions; nothing lists the newest conversations'
        ),
    )
    order: Literal["newest", "oldest", "costliest", "longest"] = Field(
        "newest", description="Which come first where there is no query"
    )
    limit: int = Field(5, ge=1, le=20)


class ToRead(Arguments):
    conversation_id: Text
    around: Text | None = Field(None, description="The id of a message to read around")
    start: int | None = Field(None, ge=0, description="The number of the first message to read")
    limit: int = Field(20, ge=1, le=50)


def record_tools(project: Project) -> list[Tool]:
    async def searched(wanted: ToSearch) -> Result:
        found = await in_database(search, project, Wanted(**dict(wanted)))
        return Result(text=_text(found), summary=_found(found))

    async def was_read(wanted: ToRead) -> Result:
        found = await in_database(
            read,
            project,
            wanted.conversation_id,
            around=wanted.around,
            start=wanted.start,
            limit=wanted.limit,
        )
        messages = counted(len(found["read"]), "message")
        return Result(text=_text(found), summary=f"{messages} of “{found['name']}”")

    async def was_counted(wanted: Narrowed) -> Result:
        found = await in_database(figures, project, Wanted(**dict(wanted)))
        summary = ", ".join(
            counted(found[thing], thing[:-1]) for thing in ("conversations", "messages", "tokens")
        )
        return Result(text=_text(found), summary=f"{summary}, ${found['cost']:.4f}")

    return [
        ReadyTool(
            name="search_record",
            description=(
                "Search the recorded conversations. Those that match best come first, each with"
                " places that match; where none has all the words, those that have most of them."
            ),
            reads=ToSearch,
            does=searched,
        ),
        ReadyTool(
            name="read_conversation",
            description="Read messages of a recorded conversation, in order.",
            reads=ToRead,
            does=was_read,
        ),
        ReadyTool(
            name="count_record",
            description=(
                "Count the recorded conversations, their messages, tokens and cost,"
                " by status and by agent."
            ),
            reads=Narrowed,
            does=was_counted,
        ),
    ]


def _text(found: Json) -> str:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _found(found: Json) -> str:
    if not found["conversations"]:
        return "nothing"
    how = " with some of the words" if found["matched"] == "some words" else ""
    first = "best" if found["matched"].endswith("words") else found["matched"]
    best = found["conversations"][0]["name"]
    return f"{counted(found['total'], 'conversation')}{how}, {first}: “{best}”"
