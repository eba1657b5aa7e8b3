"""By whose leave streams are followed here, and who has to go because it was taken back.

A leave is asked for once when a stream is opened, and then at every pulse: in one go for all whose
streams are open in this process, and not for each stream.
"""

from collections.abc import AsyncIterator, Callable, Collection, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string

from streaming.asking import in_database

# How far a leave reaches, in whatever the floors above count it; nothing where it was taken back.
Extent = frozenset[object]
ReadExtents = Callable[[Collection[Hashable]], Mapping[Hashable, Extent]]


@dataclass(slots=True, eq=False)
class Guest:
    """Somebody who follows streams here: by the same leave, however many they are."""

    extent: Extent
    streams: int = 0
    # Some or all of what the streams were opened with is no longer given.
    has_to_go: bool = False


class Guests:
    def __init__(self) -> None:
        self._guests: dict[Hashable, Guest] = {}

    @asynccontextmanager
    async def admitted(self, leave: Hashable | None) -> AsyncIterator[Guest | None]:
        """For as long as a stream is open; those who need no leave are not counted."""
        if leave is None:
            yield None
            return
        if leave not in self._guests:
            extent = (await _extents((leave,))).get(leave, frozenset())
            self._guests.setdefault(leave, Guest(extent, has_to_go=not extent))
        guest = self._guests[leave]
        guest.streams += 1
        try:
            yield guest
        finally:
            guest.streams -= 1
            if not guest.streams and self._guests.get(leave) is guest:
                del self._guests[leave]

    async def review(self) -> bool:
        """Whether somebody has to go."""
        asked = dict(self._guests)
        if not asked:
            return False
        found = await _extents(tuple(asked))
        for leave, guest in asked.items():
            before, guest.extent = guest.extent, found.get(leave, frozenset())
            if not before <= guest.extent or not guest.extent:
                guest.has_to_go = True
                # Whoever comes by this leave from now on was asked at the door.
                if self._guests.get(leave) is guest:
                    del self._guests[leave]
        return any(guest.has_to_go for guest in asked.values())


async def _extents(leaves: Collection[Hashable]) -> Mapping[Hashable, Extent]:
    read: ReadExtents = import_string(settings.STREAMING_LEAVES)
    return await in_database(read, leaves)
