"""The reader of the event log, and what takes back what was told.

A statement that names the keys it wants is planned for the one volume in which they are, and takes
as long whether there are five volumes or five hundred.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from streaming import keys, packs
from streaming.errors import EventsTrimmed
from streaming.events import ERASED, START, Event, event_id, id_without_event

LARGEST_PAGE = 16 * 1024 * 1024


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


def span(topic: str) -> Span:
    return spans([topic]).get(topic, Span())


def spans(topics: Iterable[str]) -> dict[str, Span]:
    """What is held of each of these topics; a topic of which nothing was ever told is left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, first_seq, last_seq, has_ended, last_recorded_at, last_tag"
            " FROM streaming_topic WHERE name = ANY(%s)",
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
    standing = _standing(topic)
    standing.check(after)
    found = _read_on(standing, after, limit, limit_bytes)
    if standing.last > after and (not found or found[0].seq != after + 1):
        # Trimmed between the two statements: this says so.
        _standing(topic).check(after)
    return found


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing(Span):
    """And where its events are: from number `volume_seq` on in that volume, earlier ones anywhere.

    What an older version of this program has added meanwhile is somewhere else.
    """

    topic: str
    topic_id: int = 0
    volume: int = 0
    volume_seq: int = 1


def _standing(topic: str) -> _Standing:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, first_seq, last_seq, volume, volume_seq FROM streaming_topic"
            " WHERE name = %s",
            [topic],
        )
        found = cursor.fetchone()
    if found is None:
        return _Standing(topic=topic)
    topic_id, first, last, volume, volume_seq = found
    return _Standing(
        topic=topic, topic_id=topic_id, first=first, last=last, volume=volume, volume_seq=volume_seq
    )


def _read_on(standing: _Standing, after: int, limit: int, limit_bytes: int) -> list[Event]:
    found: list[Event] = []
    is_there = after + 1 >= standing.volume_seq
    volume: int | None = standing.volume
    while after < standing.last and len(found) < limit and limit_bytes > 0:
        if not is_there:
            volume = _volume_of_next(standing, after)
        if volume is None:
            break
        page = _page(standing, volume, after, limit - len(found), limit_bytes)
        if is_there and page and page[0].seq != after + 1:
            page = []
        if not page and not is_there:
            break
        is_there = bool(page)
        found += page
        limit_bytes -= sum(len(event.payload.encode()) for event in page)
        after = page[-1].seq if page else after
    return found


def _volume_of_next(standing: _Standing, after: int) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT body_id FROM streaming_entry WHERE topic_id = %s AND seq > %s"
            " ORDER BY seq LIMIT 1",
            [standing.topic_id, after],
        )
        found = cursor.fetchone()
    return keys.volume_of(found[0]) if found else None


def _page(
    standing: _Standing, volume: int, after: int, limit: int, limit_bytes: int
) -> list[Event]:
    """Some of what this volume has behind that number, up to a hole in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            _PAGE,
            {
                "topic": standing.topic_id,
                "after": after,
                "limit": limit,
                # In a pack as long as there are, the first that is wanted may be the first of all.
                "before": after + limit + packs.MOST_EVENTS,
                "limit_bytes": limit_bytes,
                "first": volume,
                "end": volume + keys.KEYS_A_VOLUME,
            },
        )
        rows = cursor.fetchall()
    events: list[Event] = []
    for seq, kind, payload, subject, occurred_at, recorded_at, tag, is_final in rows:
        event = Event(
            topic=standing.topic,
            seq=seq,
            kind=kind,
            payload=payload,
            subject=subject,
            occurred_at=occurred_at,
            recorded_at=recorded_at,
            tag=tag,
            is_final=is_final,
        )
        for one in packs.unpack(event) if kind == packs.PACKED else (event,):
            if one.seq <= after:
                continue
            is_hole = events and one.seq != events[-1].seq + 1
            if is_hole or len(events) == limit or limit_bytes <= 0:
                return events
            events.append(one)
            limit_bytes -= len(one.payload.encode())
    return events


# Two joins: what is beyond the limit is measured, and not read.
_PAGE = """
    SELECT e.seq, b.kind, b.payload, b.subject, b.occurred_at, b.recorded_at, b.tag, b.is_final
    FROM (
        SELECT page.*, sum(octet_length(sized.payload)) OVER (ORDER BY seq)
            - octet_length(sized.payload) AS bytes_before
        FROM (
            SELECT seq, body_id FROM streaming_entry
            WHERE topic_id = %(topic)s AND seq > %(after)s AND seq < %(before)s
                AND body_id >= %(first)s AND body_id < %(end)s
            ORDER BY seq LIMIT %(limit)s
        ) page
        JOIN streaming_eventbody sized ON sized.id = page.body_id
            AND sized.id >= %(first)s AND sized.id < %(end)s
    ) e
    JOIN streaming_eventbody b ON b.id = e.body_id AND b.id >= %(first)s AND b.id < %(end)s
    WHERE e.bytes_before < %(limit_bytes)s ORDER BY e.seq
"""
