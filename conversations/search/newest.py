"""The newest documents that match, at a cost that hardly grows with the record.

All that the index knows of a frequent word is most of the record. So it knows of each document also
the slice of the record that it is in, as if that were a word, and is asked for the newest slices
first. How many documents match there says how far back the others are; where few do, or few slices
are left, it is asked for all that is older.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from conversations.models import SLICE_BITS, SLICES, Conversation, Project
from conversations.replica import long_read
from conversations.search.query import Query

# So many of the newest documents that match are ranked: a common word is as quick as a rare one.
CANDIDATES = 1000
# The index knows words and not their order, so that of so many of the newest is looked at.
EXAMINED = 5000
FIRST_SLICES = 2
# Fewer matches than these say nothing about the other slices.
TELLING = 20
# What some slices say is believed of so many times as many.
BELIEVED = 8
# To ask once more costs more than to look a little too far.
MARGIN = 1.3
# The index looks for each slice by itself: in so many times as few, it passes what has been seen.
FEW = 3
# So many are walked through sooner than the index has listed all words of a frequent beginning.
WALKED_SLICES = 10

DOCUMENTS = f"""
    SELECT id * -1 AS age, conversation_id, message_id, start, words
    FROM conversations_searchdocument WHERE {SLICES} && %s::bigint[]
"""  # noqa: S608 - ours


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
    with long_read() as cursor:
        return _Search(cursor, project, query, within).run()


class _Search:
    def __init__(
        self,
        cursor: Any,
        project: Project,
        query: Query,
        within: QuerySet[Conversation] | None,
    ) -> None:
        self.cursor = cursor
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

    def run(self) -> list[Candidate]:
        # Starting others to help takes longer than these run. Documents are sorted with their
        # words.
        self.cursor.execute(
            "SET LOCAL work_mem = '64MB'; SET LOCAL max_parallel_workers_per_gather = 0"
        )
        for documents, parameters in self._stretches():
            self._look_through(documents, parameters)
            if self.left <= 0 or len(self.found) >= CANDIDATES:
                break
        return self.found[:CANDIDATES]

    def _stretches(self) -> Iterator[tuple[str, list[Any]]]:
        """Documents, from the newest on; each stretch is as long as those before suggest."""
        [(first, newest)] = self._run(
            f"SELECT -max(id * -1) >> {SLICE_BITS}, -min(id * -1) >> {SLICE_BITS}"  # noqa: S608 - ours
            " FROM conversations_searchdocument WHERE project_id = %s",
            [self.project.pk],
        )
        if first is None:
            return
        wanted, seen, reach = self.left, 0, FIRST_SLICES
        while (remaining := newest - seen - first + 1) > 0:
            if seen and reach * FEW >= remaining:
                older = (newest - seen + 1) << SLICE_BITS
                yield f"{DOCUMENTS} AND id < %s", [[self.project.pk], older]
                return
            slices = range(newest - seen, newest - seen - reach, -1)
            # An OFFSET keeps PostgreSQL from asking the index of words.
            is_walked = self.query.has_beginning and reach <= WALKED_SLICES
            yield (
                f"{DOCUMENTS} {'OFFSET 0' if is_walked else ''}",
                [[self.project.pk << 32 | number for number in slices]],
            )
            seen += reach
            reach = BELIEVED * seen
            if (matching := wanted - self.left) >= TELLING:
                reach = min(reach, 1 + int(MARGIN * seen * self.left / matching))

    def _look_through(self, documents: str, parameters: list[Any]) -> None:
        rows = self._run(
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

    def _run(self, statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        self.cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = self.cursor.fetchall()
        return rows
