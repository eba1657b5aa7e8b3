"""The log as lists of frames, for answers that end."""

from dataclasses import dataclass
from typing import Any

from streaming import log, wire
from streaming.errors import EventsTrimmed
from streaming.events import Event, id_without_event, seq_of
from streaming.follow import Truncated

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Frames in order, whether more follow, and the id from which to follow on."""

    frames: list[Frame]
    has_more: bool
    last_id: str


def since(topic: str, cursor: str | None, *, limit: int) -> Stretch:
    """What came after a cursor, or from the beginning. Raises CursorMalformed.

    As on a stream, a cursor whose events are gone is told so first, and it goes on from the oldest.
    """
    after = seq_of(cursor) if cursor else 0
    notices: list[Frame] = []
    try:
        events = log.read_after(topic, after, limit=limit + 1)
    except EventsTrimmed as trimmed:
        after = trimmed.oldest - 1
        events = log.read_after(topic, after, limit=limit + 1)
        oldest_id = events[0].id if events else id_without_event(trimmed.oldest)
        notices = [wire.truncated(Truncated(oldest_id=oldest_id))]
    shown = events[:limit]
    return Stretch(
        frames=notices + [wire.frame(event) for event in shown],
        has_more=len(events) > limit,
        last_id=shown[-1].id if shown else id_without_event(after),
    )


def told_after(topic: str, cursor: str | None, *, limit: int) -> list[Event]:
    """The events themselves, from a cursor on, or from the oldest that is held."""
    after = seq_of(cursor) if cursor else 0
    try:
        return log.read_after(topic, after, limit=limit)
    except EventsTrimmed as trimmed:
        return log.read_after(topic, trimmed.oldest - 1, limit=limit)


def last_number(topic: str) -> int:
    """The number of the last event that a topic has told; 0 before the first."""
    return log.span(topic).last


def newest(topic: str, *, limit: int) -> Stretch:
    """The last events of a topic; `has_more` where earlier ones are held."""
    span = log.span(topic)
    after = max(span.first - 1, span.last - limit)
    stretch = since(topic, id_without_event(after), limit=limit)
    return Stretch(
        frames=stretch.frames,
        has_more=after >= span.first,
        last_id=stretch.last_id,
    )
