"""Follow a topic: everything once and in order, in batches, from wherever one left off."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from streaming import hub, log, stats
from streaming.asking import in_database
from streaming.errors import EventsTrimmed, LeaveEnded
from streaming.events import EVERYTHING, Event, Filter, id_without_event
from streaming.guests import Guest


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    """What came after the cursor is no longer held; it goes on from the oldest that is."""

    oldest_id: str


Batch = list[Event] | Truncated
# Takes events at once; False where it cannot, and then it has taken none of them. Must not raise.
Push = Callable[[list[Event]], bool]


@asynccontextmanager
async def following(
    topic: str,
    *,
    after: int | None,
    transport: str,
    only: Filter = EVERYTHING,
    heartbeat_s: float | None = None,
    leave: Hashable | None = None,
    push: Push | None = None,
) -> AsyncIterator["Follower"]:
    """A place in the topic behind number `after`, or at its end where that is None.

    It is kept for as long as the leave is given, where it takes one. What comes while the follower
    waits for it goes to `push` and not through the iteration: a thousand of them need not be woken.
    """
    stats.OPENED.labels(transport).inc()
    stats.CONNECTIONS.labels(transport).inc()
    if after:
        stats.RECONNECTS.inc()
    try:
        house = hub.of_this_process()
        async with house.guests.admitted(leave) as guest, house.watching(topic) as ring:
            position = ring.last if after is None else after
            yield Follower(
                ring, position, only=only, heartbeat_s=heartbeat_s, guest=guest, push=push
            )
    finally:
        stats.CONNECTIONS.labels(transport).dec()


class Follower:
    """Iterate for batches. An empty batch is a heartbeat; HubClosed says: reconnect.

    LeaveEnded says that it would be no use.
    """

    def __init__(
        self,
        ring: hub.Ring,
        position: int,
        *,
        only: Filter,
        heartbeat_s: float | None,
        guest: Guest | None,
        push: Push | None,
    ) -> None:
        self.ring = ring
        self.position = position
        self.only = only
        self.heartbeat_s = heartbeat_s
        self.guest = guest
        # Has read all there was: from then on, what it gets is as old as we are late.
        self.has_caught_up = False
        self.push = push
        self.grown: asyncio.Future[bool] | None = None

    @property
    def last_id(self) -> str:
        """The id behind which this follower stands."""
        if self.position == self.ring.last:
            return self.ring.last_id
        return id_without_event(self.position)

    def __aiter__(self) -> "Follower":
        return self

    async def __anext__(self) -> Batch:
        while True:
            if self.guest and self.guest.has_to_go:
                if not self.guest.extent:
                    raise LeaveEnded
                # Whether this stream is part of what is left, the door knows.
                raise hub.HubClosed("What may be followed has changed")
            if self.ring.is_closed:
                raise hub.HubClosed
            events = self.ring.after(self.position)
            if events is None:
                try:
                    events = await self._read_log()
                except EventsTrimmed as trimmed:
                    stats.TRUNCATED.inc()
                    return await self._move_to(trimmed.oldest)
            if events:
                self.position = events[-1].seq
                wanted = self.only.wanted(events)
                if wanted:
                    self._note(len(wanted))
                    return wanted
            elif self.ring.has_ended and self.position == self.ring.last:
                raise StopAsyncIteration
            elif not await self._grown():
                return []

    async def _read_log(self) -> list[Event]:
        stats.RING_MISSES.inc()
        revision = self.ring.revision
        page = await in_database(
            log.read_after,
            self.ring.topic,
            self.position,
            limit=hub.PAGE,
            limit_bytes=hub.BATCH_BYTES,
        )
        self.ring.put_before(page, revision=revision)
        return page

    async def _move_to(self, oldest: int) -> Truncated:
        self.position = oldest - 1
        held = await in_database(log.read_after, self.ring.topic, self.position, limit=1)
        return Truncated(oldest_id=held[0].id if held else id_without_event(oldest))

    async def _grown(self) -> bool:
        """Wait for the next event; False where a heartbeat is due first."""
        self.has_caught_up = True
        loop = asyncio.get_running_loop()
        self.grown = loop.create_future()
        beat = loop.call_later(self.heartbeat_s, self._beat) if self.heartbeat_s else None
        self.ring.waiters.add(self)
        try:
            return await self.grown
        finally:
            self.ring.waiters.discard(self)
            if beat:
                beat.cancel()

    def wake(self) -> None:
        if self.grown and not self.grown.done() and not self._pushed():
            self.grown.set_result(True)

    def _pushed(self) -> bool:
        """Whether it still has all there is, and need not be woken."""
        if self.push is None or self.ring.is_closed or (self.guest and self.guest.has_to_go):
            return False
        events = self.ring.after(self.position)
        if not events:
            return False
        wanted = self.only.wanted(events)
        if wanted:
            if not self.push(wanted):
                return False
            self._note(len(wanted))
        self.position = events[-1].seq
        return self.position == self.ring.last and not self.ring.has_ended

    def _note(self, delivered: int) -> None:
        stats.DELIVERED.inc(delivered)
        if self.has_caught_up:
            stats.DELIVERY.note(monotonic() - self.ring.recorded_at_s)

    def _beat(self) -> None:
        if self.grown and not self.grown.done():
            self.grown.set_result(False)
