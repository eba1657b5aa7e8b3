"""The writer and the reader of the event log.

A topic's row is locked from `append` to COMMIT. That is what keeps numbers without holes and in
the order of commits: the next transaction on the topic waits, and a rollback gives numbers back.

A statement that names the keys it wants is planned for the one volume in which they are, and takes
as long whether there are five volumes or five hundred.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from streaming import keys, packs
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
    # Of each topic how many, and which is the last; of each entry the place of its draft.
    wanted: dict[str, int] = {}
    lasts: dict[str, int] = {}
    entries: list[tuple[str, int, int]] = []
    for place, draft in enumerate(drafts):
        for topic in draft.topics:
            number = wanted.get(topic, 0)
            wanted[topic], lasts[topic] = number + 1, place
            entries.append((topic, number, place))
    first_key = keys.first_key(recorded_at)
    columns: dict[str, Any] = {
        "names": "\n".join(wanted),
        "wanted": _numbers(wanted.values()),
        "ends": _booleans(drafts[place].is_final for place in lasts.values()),
        "last_tags": _numbers(tags[place] for place in lasts.values()),
        "first_key": first_key,
        "largest_number": keys.LARGEST_NUMBER,
        "volume": keys.volume_of(first_key),
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


def _numbers(values: Iterable[int]) -> str:
    return ",".join(map(str, values))


def _booleans(values: Iterable[bool]) -> str:
    return ",".join("t" if value else "f" for value in values)


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

# One statement, since each is a way to the database and back. Topics are locked in the order of
# names: transactions that touch the same ones lock them the same way. Psycopg takes long to quote
# an array, so that what has no line break, or no comma, comes as one text.
_APPEND = """
    WITH numbered AS (
        INSERT INTO streaming_topic AS topic (
            name, first_seq, last_seq, has_ended, volume, volume_seq, last_recorded_at, last_tag
        )
        SELECT name, 1, wanted, ends, %(volume)s, 1, %(recorded_at)s, last_tag FROM unnest(
            string_to_array(%(names)s, chr(10)), string_to_array(%(wanted)s, ',')::bigint[],
            string_to_array(%(ends)s, ',')::bool[], string_to_array(%(last_tags)s, ',')::bigint[]
        ) AS new (name, wanted, ends, last_tag)
        ORDER BY name COLLATE "C"
        ON CONFLICT (name) DO UPDATE
        SET last_seq = topic.last_seq + excluded.last_seq, has_ended = excluded.has_ended,
            volume = excluded.volume, volume_seq = CASE WHEN topic.volume = excluded.volume
                THEN topic.volume_seq ELSE topic.last_seq + 1 END,
            last_recorded_at = excluded.last_recorded_at, last_tag = excluded.last_tag
        RETURNING name, id, last_seq
    ), told AS MATERIALIZED (
        SELECT %(first_key)s | (nextval('streaming_eventbody_id_seq') & %(largest_number)s) AS id,
            new.*
        FROM unnest(
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
