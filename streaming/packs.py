"""Packs: many events of one topic in one row, from which each comes out as it went in.

The first line says what stands around the payloads, which follow line by line. The row is that of
the last of them and keeps its number, so the others have the numbers before it.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from streaming.events import Event

PACKED = "stream.packed"
MOST_EVENTS = 500
LARGEST_BYTES = 32 * 1024
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def pack(events: Sequence[Event]) -> str:
    heads = [
        (
            event.kind,
            event.subject,
            (event.occurred_at - EPOCH) // MICROSECOND,
            (event.recorded_at - EPOCH) // MICROSECOND,
            event.tag,
            event.is_final,
        )
        for event in events
    ]
    head = json.dumps(heads, ensure_ascii=False, separators=(",", ":"))
    return "\n".join([head, *(event.payload for event in events)])


def unpack(packed: Event) -> Iterator[Event]:
    head, *payloads = packed.payload.split("\n")
    first = packed.seq - len(payloads) + 1
    for place, (kind, subject, occurred_us, recorded_us, tag, is_final) in enumerate(
        json.loads(head)
    ):
        yield Event(
            topic=packed.topic,
            seq=first + place,
            kind=kind,
            payload=payloads[place],
            subject=subject,
            occurred_at=EPOCH + timedelta(microseconds=occurred_us),
            recorded_at=EPOCH + timedelta(microseconds=recorded_us),
            tag=tag,
            is_final=is_final,
        )
