"""An event as it stands in the log, and the ids by which clients name it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, wraps

from streaming.errors import CursorMalformed

START = "0"
# An event of which only the number is left. What came before it may have been erased as well.
ERASED = "stream.erased"
_ID = re.compile(r"(\d{1,16})_(\d{4,18})_[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of one topic. `payload` is a JSON object, serialised once when it was published."""

    topic: str
    seq: int
    kind: str
    payload: str
    subject: str = ""
    occurred_at: datetime
    recorded_at: datetime
    tag: int
    is_final: bool = False
    # What was made of it for the wire: a ring hands the same event to every connection.
    rendered: dict[str | None, bytes] = field(default_factory=dict, compare=False, repr=False)

    @property
    def id(self) -> str:
        return event_id(self.recorded_at, self.seq, self.tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which events of a topic are wanted; an empty set wants all."""

    kinds: frozenset[str] = frozenset()
    families: tuple[str, ...] = ()
    subjects: frozenset[str] = frozenset()

    def wanted(self, events: list[Event]) -> list[Event]:
        if self is EVERYTHING:
            return events
        return [event for event in events if self._wants(event)]

    def _wants(self, event: Event) -> bool:
        if self.subjects and event.subject not in self.subjects:
            return False
        if not self.kinds and not self.families:
            return True
        return event.kind in self.kinds or event.kind.startswith(self.families or ("\0",))


EVERYTHING = Filter()

Render = Callable[[Event], bytes]


def made_once(render: Render) -> Render:
    """A ring hands the same event to every connection."""
    # No key but a name: what holds only text and bytes is nothing to the garbage collector.
    name = render.__name__

    @wraps(render)
    def cached(event: Event) -> bytes:
        made = event.rendered.get(name)
        if made is None:
            made = event.rendered[name] = render(event)
        return made

    return cached


def event_id(recorded_at: datetime, seq: int, tag: int) -> str:
    return f"{int(recorded_at.timestamp() * 1000)}_{seq:04d}_{tag:08x}"


def id_without_event(seq: int) -> str:
    """An id for a position whose event is not held; as a cursor it is as good as any."""
    return f"0_{seq:04d}_00000000" if seq else START


def seq_of(cursor: str) -> int:
    """The number inside an event id: all that counts of it."""
    if cursor == START:
        return 0
    found = _ID.fullmatch(cursor)
    if not found:
        raise CursorMalformed
    return int(found[2])


# A time is written several times: into the payload, and beside it in the log and the record.
@lru_cache(1024)
def iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat().removesuffix('+00:00')}Z"
