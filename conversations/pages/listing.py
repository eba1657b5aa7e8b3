"""The conversations of a project, to look through and to search."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of, project_for, projects_of
from conversations.api import lists
from conversations.api.views import NEWEST_FIRST, filters_of
from conversations.models import Conversation, Project
from conversations.search import FoundConversations
from conversations.search.finding import Match
from streaming import replay

ROWS = 50
# The filters offer what the newest conversations have: to ask them all takes too long.
LOOKED_AT = 1_000
MOST_CHOICES = 50
FILTERS = ("q", "status", "mode", "source", "agent")
UNFINISHED = re.compile(r"(?:^|\s)\w{2,}\Z")

Piece = tuple[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a conversation matches: the text in pieces, and whether each is what was sought."""

    message: str | None
    pieces: list[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    conversation: Conversation
    places: list[Place] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Some rows of the list, how many there are in all, and the query of the page after these."""

    rows: list[Row]
    total: int
    older: dict[str, str]


@extend_schema(exclude=True)
class ConversationsPage(APIView):
    """All conversations, newest first, or best first where something is sought.

    `?id=` shows just these: a page that is open asks for what has changed.
    """

    scope = "read"
    is_page = True
    renderer_classes = (TemplateHTMLRenderer,)

    def get(self, request: Request) -> Response:
        caller = caller_of(request)
        wanted = {name: str(given) for name, given in request.query_params.items()}
        project = project_for(caller, wanted.get("project"))
        # Before the rows are read: what comes in between is told twice rather than never.
        since = replay.newest(project.topic, limit=1).last_id
        chosen = {name: wanted[name] for name in FILTERS if wanted.get(name)}
        shown = _shown(request, project, wanted)
        return Response(
            {
                "project": project,
                "projects": projects_of(caller).order_by("slug"),
                "since": since,
                "shown": shown,
                "chosen": chosen,
                "choices": _choices(project, chosen),
                "statuses": Conversation.Status.values,
                "is_first": not {"after", "before", "page"} & wanted.keys(),
                "active": project.conversations.filter(status="ACTIVE").count(),
            },
            template_name="conversations/list.html",
        )


def _shown(request: Request, project: Project, wanted: dict[str, str]) -> Shown:
    rows = _rows_of(project)
    if ids := request.query_params.getlist("id"):
        named = rows.filter(public_id__in=[one for one in ids[:ROWS] if "\0" not in one])
        return Shown(rows=[Row(conversation=one) for one in named], total=len(named), older={})
    filters = filters_of(wanted)
    found = rows.filter(filters)
    kept = {name: wanted[name] for name in ("project", *FILTERS) if wanted.get(name)}
    if "q" in kept:
        return _best(request, project, found, filters, kept)
    cursor = lists.cursor_of(request) or ("after", "")
    some, has_more = lists.stretch(
        found, cursor=cursor, size=ROWS, order=NEWEST_FIRST, known=project.conversations.all()
    )
    has_older = has_more if cursor[0] == "after" else bool(some)
    return Shown(
        rows=[Row(conversation=one) for one in some],
        total=found.count(),
        older={**kept, "after": some[-1].public_id} if has_older else {},
    )


def _best(
    request: Request,
    project: Project,
    found: QuerySet[Conversation],
    filters: Q,
    kept: dict[str, str],
) -> Shown:
    written = _as_typed(kept["q"])
    ranked = FoundConversations(project, written, within=found, is_narrowed=bool(filters))
    some, total, next_page = lists.page_of(request, ranked)
    return Shown(
        rows=[
            Row(conversation=one.conversation, places=[_place(match) for match in one.matches])
            for one in some
        ],
        total=total,
        older={**kept, "page": str(next_page)} if next_page else {},
    )


def _as_typed(written: str) -> str:
    """The last word may be the beginning of one: it is searched while somebody types."""
    is_in_quotes = written.count('"') % 2 == 1
    return f"{written}*" if UNFINISHED.search(written) and not is_in_quotes else written


def _rows_of(project: Project) -> QuerySet[Conversation]:
    conversations = project.conversations.order_by(*NEWEST_FIRST)
    return conversations.select_related("project").prefetch_related("participants")


def _place(match: Match) -> Place:
    text, spans = match.snippet.text, match.snippet.highlights
    return Place(message=match.message, pieces=list(_pieces(text, spans)))


def _pieces(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    end = 0
    for start, stop in spans:
        yield text[end:start], False
        yield text[start:stop], True
        end = stop
    yield text[end:], False


def _choices(project: Project, chosen: dict[str, str]) -> dict[str, list[str]]:
    newest = project.conversations.order_by(*NEWEST_FIRST)
    known: dict[str, Any] = {name: [chosen.get(name, "")] for name in ("mode", "source", "agent")}
    for mode, source, agents in newest.values_list("mode", "source", "agents")[:LOOKED_AT]:
        known["mode"].append(mode)
        known["source"].append(source)
        known["agent"].extend(agents)
    return {name: _few(values) for name, values in known.items()}


def _few(values: list[str]) -> list[str]:
    return sorted(list(dict.fromkeys(filter(None, values)))[:MOST_CHOICES], key=str.casefold)
