"""The only writer and reader of the event log.

A topic's row is locked from `append` to COMMIT. That is what keeps numbers without holes and in
the order of commits: the next transaction on the topic waits, and a rollback gives numbers back.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from streaming.errors import EventsTrimmed
from streaming.events import ERASED, START, Event, event_id, id_without_event

LARGEST_PAGE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An event before it has numbers, and the topics that will tell of it.

    The payload is JSON in one line.
    """

    topics: tuple[str, ...]
    kind: str
    payload: str
    subject: str
    occurred_at: datetime
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which numbers of a topic are held: `first` to `last`; none where `last` is below `first`."""

    first: int = 1
    last: int = 0
    last_id: str = START
    has_ended: bool = False

    def check(self, after: int) -> None:
        if not self.first - 1 <= after <= self.last:
            raise EventsTrimmed(self.first)


def append(drafts: Sequence[Draft]) -> list[Event]:
    """Number and write events, as the last act of the transaction that publishes them."""
    recorded_at = timezone.now()
    tags = [secrets.randbits(32) for _ in drafts]
    # Of each topic how many, and whether it ends with them; of each entry the place of its draft.
    wanted: dict[str, int] = {}
    ends: dict[str, bool] = {}
    entries: list[tuple[str, int, int]] = []
    for place, draft in enumerate(drafts):
        for topic in draft.topics:
            number = wanted.get(topic, 0)
            wanted[topic], ends[topic] = number + 1, draft.is_final
            entries.append((topic, number, place))
    columns: dict[str, Any] = {
        "names": "\n".join(wanted),
        "wanted": _numbers(wanted.values()),
        "ends": _booleans(ends.values()),
        "kinds": "\n".join(draft.kind for draft in drafts),
        "payloads": "\n".join(draft.payload for draft in drafts),
        "subjects": [draft.subject for draft in drafts],
        "times": ",".join(draft.occurred_at.isoformat() for draft in drafts),
        "tags": _numbers(tags),
        "finals": _booleans(draft.is_final for draft in drafts),
        "entry_names": "\n".join(topic for topic, _, _ in entries),
        "entry_behind": _numbers(wanted[topic] - number - 1 for topic, number, _ in entries),
        "entry_places": _numbers(place + 1 for _, _, place in entries),
    }
    with connection.cursor() as cursor:
        cursor.execute(_APPEND, {**columns, "recorded_at": recorded_at})
        before = {name: last - wanted[name] for name, last in cursor.fetchall()}
    return [
        Event(
            topic=topic,
            seq=before[topic] + number + 1,
            kind=drafts[place].kind,
            payload=drafts[place].payload,
            subject=drafts[place].subject,
            occurred_at=drafts[place].occurred_at,
            recorded_at=recorded_at,
            tag=tags[place],
            is_final=drafts[place].is_final,
        )
        for topic, number, place in entries
    ]


def span(topic: str) -> Span:
    return spans([topic]).get(topic, Span())


def spans(topics: Iterable[str]) -> dict[str, Span]:
    """What is held of each of these topics; a topic of which nothing was ever told is left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.name, t.first_seq, t.last_seq, t.has_ended, b.recorded_at, b.tag"
            " FROM streaming_topic t"
            " LEFT JOIN streaming_entry e ON e.topic_id = t.id AND e.seq = t.last_seq"
            " LEFT JOIN streaming_eventbody b ON b.id = e.body_id WHERE t.name = ANY(%s)",
            [list(topics)],
        )
        return {
            name: Span(
                first=first,
                last=last,
                last_id=event_id(recorded_at, last, tag) if recorded_at else id_without_event(last),
                has_ended=has_ended,
            )
            for name, first, last, has_ended, recorded_at, tag in cursor.fetchall()
        }


def read_after(
    topic: str, after: int, *, limit: int = 500, limit_bytes: int = LARGEST_PAGE
) -> list[Event]:
    """The next events of a topic, at least one of them where there is one.

    Raises EventsTrimmed where the first is not held.
    """
    with connection.cursor() as cursor:
        # One statement, so that the span and the entries are of one moment.
        cursor.execute(
            "SELECT t.first_seq, t.last_seq, e.seq, b.kind, b.payload, b.subject, b.occurred_at,"
            " b.recorded_at, b.tag, b.is_final FROM streaming_topic t LEFT JOIN LATERAL ("
            "  SELECT seq, body_id, sum(length) OVER (ORDER BY seq) - length AS bytes_before FROM ("
            "   SELECT n.seq, n.body_id, octet_length(sized.payload) AS length"
            "   FROM streaming_entry n JOIN streaming_eventbody sized ON sized.id = n.body_id"
            "   WHERE n.topic_id = t.id AND n.seq > %s ORDER BY n.seq LIMIT %s"
            "  ) page"
            ") e ON e.bytes_before < %s LEFT JOIN streaming_eventbody b ON b.id = e.body_id"
            " WHERE t.name = %s ORDER BY e.seq",
            [after, limit, limit_bytes, topic],
        )
        rows = cursor.fetchall()
    Span(first=rows[0][0], last=rows[0][1]).check(after) if rows else Span().check(after)
    return [
        Event(
            topic=topic,
            seq=seq,
            kind=kind,
            payload=payload,
            subject=subject,
            occurred_at=occurred_at,
            recorded_at=recorded_at,
            tag=tag,
            is_final=is_final,
        )
        for _, _, seq, kind, payload, subject, occurred_at, recorded_at, tag, is_final in rows
        if seq is not None
    ]


def erase(topic: str) -> list[str]:
    """Forget all that a topic has told; its numbers go on. Says which others had told of it too.

    There the numbers stay as well, and tell of nothing: a topic has no holes.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE streaming_topic SET first_seq = last_seq + 1 WHERE name = %s RETURNING id",
            [topic],
        )
        found = cursor.fetchone()
        if found is None:
            return []
        # One statement: of a long topic, a list of all that goes is more than memory should hold.
        cursor.execute(
            "WITH gone AS (DELETE FROM streaming_entry WHERE topic_id = %(topic)s"
            " RETURNING body_id), told AS (SELECT e.body_id, e.topic_id FROM gone"
            " JOIN streaming_entry e USING (body_id) WHERE e.topic_id <> %(topic)s),"
            " emptied AS (UPDATE streaming_eventbody SET kind = %(kind)s, subject = '',"
            " payload = '{}' WHERE id IN (SELECT body_id FROM told)),"
            " dropped AS (DELETE FROM streaming_eventbody"
            " WHERE id IN (SELECT body_id FROM gone EXCEPT SELECT body_id FROM told))"
            " SELECT name FROM streaming_topic WHERE id IN (SELECT topic_id FROM told)",
            {"topic": found[0], "kind": ERASED},
        )
        return [row[0] for row in cursor.fetchall()]


def trim(*, older_than: timedelta, chunk: int = 5_000) -> int:
    """Forget what was recorded longer ago; says how many entries went."""
    before = timezone.now() - older_than
    return sum(_trim_chunks(before, chunk))


def _numbers(values: Iterable[int]) -> str:
    return ",".join(map(str, values))


def _booleans(values: Iterable[bool]) -> str:
    return ",".join("t" if value else "f" for value in values)


# One statement, since each is a way to the database and back. Topics are locked in the order of
# names: transactions that touch the same ones lock them the same way. Psycopg takes long to quote
# an array, so that what has no line break, or no comma, comes as one text.
_APPEND = """
    WITH numbered AS (
        INSERT INTO streaming_topic (name, first_seq, last_seq, has_ended)
        SELECT name, 1, wanted, ends FROM unnest(
            string_to_array(%(names)s, chr(10)), string_to_array(%(wanted)s, ',')::bigint[],
            string_to_array(%(ends)s, ',')::bool[]
        ) AS new (name, wanted, ends)
        ORDER BY name COLLATE "C"
        ON CONFLICT (name) DO UPDATE
        SET last_seq = streaming_topic.last_seq + excluded.last_seq, has_ended = excluded.has_ended
        RETURNING name, id, last_seq
    ), told AS MATERIALIZED (
        SELECT nextval('streaming_eventbody_id_seq') AS id, new.* FROM unnest(
            string_to_array(%(kinds)s, chr(10)), string_to_array(%(payloads)s, chr(10)),
            %(subjects)s::text[], string_to_array(%(times)s, ',')::timestamptz[],
            string_to_array(%(tags)s, ',')::bigint[], string_to_array(%(finals)s, ',')::bool[]
        ) WITH ORDINALITY AS new (kind, payload, subject, occurred_at, tag, is_final, place)
    ), bodies AS (
        INSERT INTO streaming_eventbody
            (id, kind, payload, subject, occurred_at, tag, is_final, recorded_at)
        SELECT id, kind, payload, subject, occurred_at, tag, is_final, %(recorded_at)s FROM told
    ), entries AS (
        INSERT INTO streaming_entry (topic_id, seq, body_id)
        SELECT numbered.id, numbered.last_seq - entry.behind, told.id
        FROM unnest(
            string_to_array(%(entry_names)s, chr(10)),
            string_to_array(%(entry_behind)s, ',')::bigint[],
            string_to_array(%(entry_places)s, ',')::bigint[]
        ) AS entry (name, behind, place)
        JOIN numbered USING (name) JOIN told USING (place)
    )
    SELECT name, last_seq FROM numbered
"""


def _trim_chunks(before: datetime, chunk: int) -> Iterator[int]:
    # A chunk a transaction: appending to a topic never waits for a long clean-up. Entries go from
    # the oldest on, so that what is left of a topic has no hole; topics in the order of `append`.
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT e.topic_id, max(e.seq) FROM (SELECT id FROM streaming_eventbody"
                " WHERE recorded_at < %s ORDER BY recorded_at, id LIMIT %s) old"
                " JOIN streaming_entry e ON e.body_id = old.id"
                " JOIN streaming_topic t ON t.id = e.topic_id"
                ' GROUP BY e.topic_id, t.name ORDER BY t.name COLLATE "C"',
                [before, chunk],
            )
            ends = cursor.fetchall()
            gone = sum(_trim_topic(cursor, topic_id, last) for topic_id, last in ends)
            cursor.execute(
                "DELETE FROM streaming_eventbody WHERE id IN (SELECT id FROM streaming_eventbody b"
                " WHERE recorded_at < %s AND NOT EXISTS"
                " (SELECT 1 FROM streaming_entry WHERE body_id = b.id)"
                " ORDER BY recorded_at, id LIMIT %s)",
                [before, chunk],
            )
            done = not cursor.rowcount
        yield gone
        if done:
            return


def _trim_topic(cursor: Any, topic_id: int, last: int) -> int:
    cursor.execute(
        "UPDATE streaming_topic SET first_seq = greatest(first_seq, %s) WHERE id = %s",
        [last + 1, topic_id],
    )
    cursor.execute(
        "DELETE FROM streaming_entry WHERE topic_id = %s AND seq <= %s", [topic_id, last]
    )
    return int(cursor.rowcount)
