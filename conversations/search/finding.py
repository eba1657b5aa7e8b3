"""The best of the newest places that match a query, and the conversations they are in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet

from conversations.models import Conversation, Project
from conversations.search.index import LONGEST_NAME, PIECE, catch_up
from conversations.search.newest import newest
from conversations.search.query import Query, read_query
from conversations.search.snippets import Snippet, snippet

MATCHES_SHOWN = 3
# The newest of the candidates counts for so much more than the oldest.
RECENCY = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A document that matches, and how well."""

    conversation_id: int
    message_id: int | None
    start: int
    rank: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A place that matches, to be shown: of a message, or of a conversation's name or prompt."""

    conversation: str
    message: str | None
    field: str
    rank: float
    snippet: Snippet


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    conversation: Conversation
    matches: list[Match]


def find(
    project: Project, written: str, *, limit: int, conversation: Conversation | None = None
) -> list[Match]:
    """The best places of a project, or of one of its conversations."""
    query = read_query(written)
    if query is None:
        return []
    catch_up()
    within = None
    if conversation is not None:
        within = Conversation.objects.filter(pk=conversation.pk)
    hits = _hits(project, query, within)[:limit]
    # One may have been deleted since.
    loaded = Conversation.objects.in_bulk({hit.conversation_id for hit in hits})
    there = [hit for hit in hits if hit.conversation_id in loaded]
    matches = _shown(there, loaded, query)
    return [matches[hit] for hit in there]


class FoundConversations:
    """The conversations of a queryset that match, best first: counted, and loaded by the page."""

    def __init__(
        self, project: Project, written: str, *, within: QuerySet[Conversation], is_narrowed: bool
    ) -> None:
        self.within = within
        self.query = read_query(written)
        self.best: dict[int, list[Hit]] = {}
        if self.query is not None:
            catch_up()
            hits = _hits(project, self.query, within if is_narrowed else None)
            for hit in hits:
                self.best.setdefault(hit.conversation_id, []).append(hit)

    def count(self) -> int:
        return len(self.best)

    def __getitem__(self, page: slice) -> list[Found]:
        if self.query is None:
            return []
        best = {pk: self.best[pk][:MATCHES_SHOWN] for pk in list(self.best)[page]}
        # One may have been deleted since.
        loaded = {row.pk: row for row in self.within.filter(pk__in=best)}
        hits = [hit for pk, some in best.items() if pk in loaded for hit in some]
        matches = _shown(hits, loaded, self.query)
        return [
            Found(conversation=loaded[pk], matches=[matches[hit] for hit in some])
            for pk, some in best.items()
            if pk in loaded
        ]


def _hits(project: Project, query: Query, within: QuerySet[Conversation] | None) -> list[Hit]:
    """The best document of each place among the newest that match, best first."""
    found = newest(project, query, within=within)
    hits = [
        Hit(
            conversation_id=one.conversation_id,
            message_id=one.message_id,
            start=one.start,
            rank=one.rank * (1 + RECENCY * (1 - place / len(found))),
        )
        for place, one in enumerate(found)
    ]
    best: dict[tuple[int, int | None], Hit] = {}
    for hit in sorted(hits, key=lambda hit: hit.rank, reverse=True):
        best.setdefault((hit.conversation_id, hit.message_id), hit)
    return list(best.values())


def _shown(
    hits: Sequence[Hit], conversations: dict[int, Conversation], query: Query
) -> dict[Hit, Match]:
    contents = _contents(hits)
    return {hit: _match(hit, conversations[hit.conversation_id], contents, query) for hit in hits}


def _contents(hits: Iterable[Hit]) -> dict[int, tuple[str, str]]:
    """Of each message its id, and the piece of it that matches."""
    wanted = [(hit.message_id, hit.start) for hit in hits if hit.message_id is not None]
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.id, m.public_id, substr(m.content, wanted.start + 1, %s)"
            " FROM conversations_message m"
            " JOIN unnest(%s::bigint[], %s::integer[]) wanted (id, start) USING (id)",
            [PIECE, [message for message, _ in wanted], [start for _, start in wanted]],
        )
        return {pk: (public_id, piece) for pk, public_id, piece in cursor.fetchall()}


def _match(
    hit: Hit, conversation: Conversation, contents: dict[int, tuple[str, str]], query: Query
) -> Match:
    message, field, text = None, "content", ""
    if hit.message_id is not None:
        message, text = contents.get(hit.message_id, (None, ""))
    elif not hit.start and query.appears_in(name := conversation.name[:LONGEST_NAME]):
        field, text = "name", name
    else:
        field = "prompt"
        text = conversation.initial_prompt[hit.start : hit.start + PIECE]
    return Match(
        conversation=conversation.public_id,
        message=message,
        field=field,
        rank=hit.rank,
        snippet=snippet(text, query.pattern),
    )
