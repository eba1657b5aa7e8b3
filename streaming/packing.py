"""Packing: a stream that has ended, and was left alone for a while, is kept in few rows.

An answer that was written piece by piece is thousands of events, each with a row, an entry and
their indexes. In a pack they are all still there: whoever reads gets every event with its own
number, id and bytes, from whichever number on. Of each volume its own, so that they grow old as
before; what other topics tell of, too, stays as it is.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from streaming import keys
from streaming.events import Event
from streaming.packs import LARGEST_BYTES, MOST_EVENTS, PACKED, pack
from streaming.publish import transactional

LEFT_ALONE_FOR = timedelta(hours=1)
AT_ONCE = 100


def pack_ended() -> int:
    """Pack what has ended; says how many rows are gone."""
    before = timezone.now() - LEFT_ALONE_FOR
    gone = 0
    last = 0
    while ended := _ended(before, after=last):
        gone += sum(_pack_topic(topic_id, end, before) for end, topic_id in ended)
        last = ended[-1][0]
    return gone


def _ended(before: datetime, *, after: int) -> list[tuple[int, int]]:
    """The ends of streams, and their topics: until they are packed, they stand in an index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT b.id, e.topic_id FROM (SELECT id FROM streaming_eventbody"
            "  WHERE is_final AND id > %s AND id < %s AND recorded_at < %s ORDER BY id LIMIT %s) b"
            " JOIN streaming_entry e ON e.body_id = b.id ORDER BY b.id",
            [after, keys.first_key(before), before, AT_ONCE],
        )
        return list(cursor.fetchall())


@transactional
def _pack_topic(topic_id: int, end: int, before: datetime) -> int:
    """Of one topic, what is in the volume of its end."""
    with connection.cursor() as cursor:
        # Nothing is appended or erased meanwhile.
        cursor.execute(
            "SELECT id FROM streaming_topic WHERE id = %s AND has_ended"
            " AND coalesce(last_recorded_at < %s, true) FOR UPDATE",
            [topic_id, before],
        )
        if not cursor.fetchone():
            return 0
        first = keys.volume_of(end)
        bounds = {"topic": topic_id, "first": first, "end": first + keys.KEYS_A_VOLUME}
        cursor.execute(_ALONE, bounds)
        gone: list[int] = []
        packed: list[tuple[int, str]] = []
        for bodies, events in _groups(cursor.fetchall()):
            packed.append((bodies[-1], pack(events)))
            gone += bodies[:-1]
        cursor.execute(
            _PACK,
            {
                **bounds,
                "kind": PACKED,
                "lasts": [body for body, _ in packed],
                "packs": [text for _, text in packed],
                "gone": gone,
            },
        )
    return len(gone)


def _groups(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[list[int], list[Event]]]:
    """Neighbours, as many as make a pack."""
    bodies: list[int] = []
    events: list[Event] = []
    size = 0
    for body, seq, kind, payload, subject, occurred_at, recorded_at, tag, is_final in rows:
        is_next = not events or seq == events[-1].seq + 1
        if not is_next or len(events) == MOST_EVENTS or size > LARGEST_BYTES:
            yield bodies, events
            bodies, events, size = [], [], 0
        bodies.append(body)
        events.append(
            Event(
                topic="",
                seq=seq,
                kind=kind,
                payload=payload,
                subject=subject,
                occurred_at=occurred_at,
                recorded_at=recorded_at,
                tag=tag,
                is_final=is_final,
            )
        )
        size += len(payload)
    if events:
        yield bodies, events


# What no other topic tells of.
_ALONE = f"""
    SELECT b.id, e.seq, b.kind, b.payload, b.subject, b.occurred_at, b.recorded_at, b.tag,
        b.is_final
    FROM streaming_entry e JOIN streaming_eventbody b ON b.id = e.body_id
    WHERE e.topic_id = %(topic)s AND e.body_id >= %(first)s AND e.body_id < %(end)s
        AND b.id >= %(first)s AND b.id < %(end)s AND b.kind <> '{PACKED}'
        AND NOT EXISTS (
            SELECT FROM streaming_entry other WHERE other.body_id = b.id
            AND other.body_id >= %(first)s AND other.body_id < %(end)s
            AND other.topic_id <> %(topic)s
        )
    ORDER BY e.seq
"""  # noqa: S608 - a constant

_PACK = """
    WITH gone AS (
        DELETE FROM streaming_eventbody
        WHERE id = ANY(%(gone)s) AND id >= %(first)s AND id < %(end)s
    ), entries AS (
        DELETE FROM streaming_entry
        WHERE body_id = ANY(%(gone)s) AND body_id >= %(first)s AND body_id < %(end)s
    )
    UPDATE streaming_eventbody SET kind = %(kind)s, payload = new.text, subject = '',
        is_final = false
    FROM unnest(%(lasts)s::bigint[], %(packs)s::text[]) AS new (body, text)
    WHERE id = new.body AND id >= %(first)s AND id < %(end)s
"""
