"""The newest documents that match, at a cost that hardly grows with the record.

No one way is quick for every word: to walk back from the newest passes many documents for a rare
one, and to fetch what the index of words knows is most of the record for a frequent one. So the
newest few are walked through. How many of them match says how far back the others are, and the
index is asked for that stretch; what is missing still comes from all that is older.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from conversations.models import Conversation, Project
from conversations.search.query import Query
from streaming.publish import transactional

# So many of the newest documents that match are ranked: a common word is as quick as a rare one.
CANDIDATES = 2000
# The index knows words and not their order, so that of so many of the newest is looked at.
EXAMINED = 5000
NEAR = 10_000
# Fewer matches among the near ones say nothing about the others.
TELLING = 20
# So many are passed sooner than the index has listed what it knows of a frequent word.
WALKED = 40_000
# To ask once more costs more than to look a little too far.
MARGIN = 1.3

DOCUMENTS = """
    SELECT id * -1 AS age, conversation_id, message_id, start, words
    FROM conversations_searchdocument WHERE project_id = %s
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    conversation_id: int
    message_id: int | None
    start: int
    rank: float


def newest(
    project: Project, query: Query, *, within: QuerySet[Conversation] | None
) -> list[Candidate]:
    """The newest first, each with how well it matches; of these conversations, or of all."""
    return _Search(project, query, within).run()


class _Search:
    def __init__(
        self, project: Project, query: Query, within: QuerySet[Conversation] | None
    ) -> None:
        self.project = project
        self.query = query
        self.narrowed: str = ""
        self.parameters: tuple[Any, ...] = ()
        if within is not None:
            # By Django's own SQL, with its parameters.
            chosen, self.parameters = within.order_by().values("pk").query.sql_with_params()
            self.narrowed = f" AND conversation_id IN ({chosen})"
        self.found: list[Candidate] = []
        self.left = EXAMINED if query.has_order else CANDIDATES

    @transactional
    def run(self) -> list[Candidate]:
        with connection.cursor() as cursor:
            # Compiling takes longer than these run; documents are sorted with their words.
            cursor.execute("SET LOCAL jit = off; SET LOCAL work_mem = '64MB'")
        for documents, parameters in self._stretches():
            self._look_through(documents, parameters)
            if self.left <= 0 or len(self.found) >= CANDIDATES:
                break
        return self.found[:CANDIDATES]

    def _stretches(self) -> Iterator[tuple[str, list[Any]]]:
        """Documents, from the newest on; each stretch is as long as those before suggest."""
        if self.narrowed:
            # How often it matches says little where a filter decides; PostgreSQL knows better.
            yield DOCUMENTS, [self.project.pk]
            return
        wanted = self.left
        near = f"{DOCUMENTS} ORDER BY age LIMIT %s"
        yield near, [self.project.pk, NEAR]

        first, last, count = _run(
            f"SELECT min(age), max(age), count(*) FROM ({near}) near",  # noqa: S608 - ours
            [self.project.pk, NEAR],
        )[0]
        if count < NEAR:
            return
        further = f"{DOCUMENTS} AND id * -1 > %s AND id * -1 <= %s"
        if (matching := wanted - self.left) >= TELLING:
            reach = int((last - first) * MARGIN * self.left / matching)
            # An OFFSET keeps PostgreSQL from asking the index of words.
            how = "ORDER BY age OFFSET 0" if reach < WALKED else ""
            yield f"{further} {how}", [self.project.pk, last, last + reach]
            last += reach
        if last < 0:
            yield further, [self.project.pk, last, 0]

    def _look_through(self, documents: str, parameters: list[Any]) -> None:
        rows = _run(
            f"WITH looked_at AS MATERIALIZED ("  # noqa: S608 - ours
            f" SELECT * FROM ({documents}) documents WHERE words @@ %s::tsquery{self.narrowed}"
            " ORDER BY age LIMIT %s"
            ") SELECT total, conversation_id, message_id, start, ts_rank(words, %s::tsquery, 1)"
            " FROM (SELECT count(*) AS total FROM looked_at) counted"
            " LEFT JOIN looked_at ON words @@ %s::tsquery ORDER BY age LIMIT %s",
            [
                *parameters,
                self.query.unordered,
                *self.parameters,
                self.left,
                self.query.whole,
                self.query.whole,
                CANDIDATES,
            ],
        )
        self.left -= rows[0][0]
        self.found += [Candidate(*row) for _, *row in rows if row[0] is not None]


def _run(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
