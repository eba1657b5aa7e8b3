"""One hub per process: it hears the doorbell once per topic, for everyone here who follows it.

A topic's newest events stand in a ring, without holes; a follower is a position in that ring.
The hub joins a topic's group before it looks where the topic stands, drops numbers that it has,
and reads the log on a gap and at every pulse: what the channel layer does cannot lose an event.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from time import monotonic
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import structlog
from channels.layers import get_channel_layer
from django.conf import settings

from streaming import doorbell, log, stats, tracing
from streaming.asking import in_database
from streaming.errors import EventsTrimmed
from streaming.events import ERASED, START, Event, id_without_event
from streaming.guests import Guests

RING_EVENTS = 512
RING_BYTES = 1024 * 1024
# What one follower is handed at a time: if it is stuck, it holds that much and no more.
BATCH_BYTES = 32 * 1024
PAGE = 500
HEARD_AT_ONCE = 50
LAYER_TIMEOUT_S = 2.0
LAYER_REST_S = 1.0
TOLD_AGAIN_AFTER_S = 0.5
CLOSING_TIMEOUT_S = 3.0
# To our own channel, and of no topic: whether we hear anything.
PROBE = {"type": "probe"}

logger = structlog.get_logger(__name__)


class HubClosed(Exception):
    """The process is shutting down: reconnect, elsewhere or soon."""


class Waiter(Protocol):
    """A follower who has all there is."""

    def wake(self) -> None:
        """There is more, or the ring is not what it was. Must not raise."""


class Ring:
    """The newest events of one topic, contiguous up to `last`, and who waits for the next."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.events: deque[Event] = deque()
        self.size = 0
        self.last = 0
        # Of that number, where its event is not in here.
        self._last_id = START
        self.has_ended = False
        # The newest, by the clock that never jumps.
        self.recorded_at_s = monotonic()
        # At the last pulse, in the log.
        self.stood_at = 0
        # Goes up when what the log holds of earlier numbers may be another than before.
        self.revision = 0
        self.followers = 0
        self.has_joined = False
        self.is_closed = False
        self.is_stale = False
        self.reading: asyncio.Task[None] | None = None
        self.waiters: set[Waiter] = set()
        self.waking: asyncio.Handle | None = None

    def start_at(self, span: log.Span) -> None:
        self.last, self._last_id, self.has_ended = span.last, span.last_id, span.has_ended

    @property
    def last_id(self) -> str:
        return self.events[-1].id if self.events else self._last_id

    def after(self, seq: int) -> list[Event] | None:
        """What follows this number, a batch of it; None where it has already left the ring."""
        missing = self.last - seq
        if not 0 <= missing <= len(self.events):
            return None
        batch: list[Event] = []
        size = 0
        for place in range(len(self.events) - missing, len(self.events)):
            batch.append(self.events[place])
            size += len(self.events[place].payload)
            if size > BATCH_BYTES:
                break
        return batch

    def extend(self, events: Iterable[Event]) -> bool:
        """Take events in order, dropping known ones; False where one does not follow the last."""
        came = 0
        for event in events:
            if event.seq <= self.last:
                continue
            if event.seq > self.last + 1:
                self._came(came)
                return False
            if event.kind == ERASED:
                # The log knows what is left of those before it.
                self._forget()
            # A topic may have been taken back with its last word.
            self.revision += event.is_final
            self.events.append(event)
            self.size += len(event.payload)
            self.last, self.has_ended = event.seq, event.is_final
            came += 1
        self._came(came)
        return True

    def put_before(self, page: Sequence[Event], *, revision: int) -> None:
        """Take what was read of the log, if it ends where the ring begins: others will want it.

        It was asked for at that revision. What was taken back since must not come back.
        """
        first = self.last - len(self.events) + 1
        if revision != self.revision or not page or page[-1].seq < first - 1:
            return
        for event in reversed(page):
            if event.seq >= first:
                continue
            size = self.size + len(event.payload)
            if len(self.events) == RING_EVENTS or size > RING_BYTES:
                return
            self.events.appendleft(event)
            self.size = size

    def restart_at(self, last: int) -> None:
        """Forget what is held: the log holds nothing that would follow it."""
        self._forget()
        self.last, self._last_id, self.has_ended = last, id_without_event(last), False
        self.wake()

    def _forget(self) -> None:
        self.events.clear()
        self.size = 0
        self.revision += 1

    def wake(self) -> None:
        """Have all who wait look, once whatever else is heard at this moment has come in."""
        if self.waking is None:
            self.waking = asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        self.waking = None
        for waiter in list(self.waiters):
            waiter.wake()

    def _came(self, count: int) -> None:
        if not count:
            return
        lag_s = max(0.0, (datetime.now(UTC) - self.events[-1].recorded_at).total_seconds())
        self.recorded_at_s = monotonic() - lag_s
        stats.note_received(count, lag_s=lag_s)
        while len(self.events) > RING_EVENTS or (self.size > RING_BYTES and len(self.events) > 1):
            self.size -= len(self.events.popleft().payload)
        self.wake()


class Hub:
    def __init__(self) -> None:
        self.rings: dict[str, Ring] = {}
        self.starting: dict[str, asyncio.Task[None]] = {}
        self.membership = asyncio.Lock()
        self.channel: str | None = None
        self.has_heard = False
        # Nothing was heard of what the log has; if the probe is not heard either, we are deaf.
        self.is_probing = False
        self.layer_rests_until = 0.0
        self.is_closing = False
        self.ringer = doorbell.take_over()
        self.guests = Guests()
        self.chores: set[asyncio.Task[None]] = set()
        self.listening = self._spawn(self._listen())
        self._spawn(self._pulse())

    @asynccontextmanager
    async def watching(self, topic: str) -> AsyncIterator[Ring]:
        """The topic's ring, kept up to date for as long as this context lasts."""
        if self.is_closing:
            raise HubClosed
        ring = self.rings.get(topic)
        if ring is None:
            ring = self.rings[topic] = Ring(topic)
            self.starting[topic] = self._spawn(self._start(ring))
            stats.TOPICS.set(len(self.rings))
        ring.followers += 1
        try:
            starting = self.starting.get(topic)
            if starting is not None:
                # Shielded: whoever leaves while the topic is being opened leaves alone.
                await asyncio.shield(starting)
            yield ring
        finally:
            ring.followers -= 1
            if not ring.followers and self.rings.get(topic) is ring:
                self._drop(ring)

    async def close(self) -> None:
        """Let every follower go, then every task."""
        self.is_closing = True
        for ring in self.rings.values():
            ring.is_closed = True
            ring.wake()
        clock = asyncio.get_running_loop().time
        deadline = clock() + CLOSING_TIMEOUT_S
        while self.rings and clock() < deadline:  # noqa: ASYNC110 - once in a life
            await asyncio.sleep(0.01)
        tasks = going = {*self.chores, self.ringer.task}
        while going:
            for task in going:
                task.cancel()
            # And again, as a Redis client may swallow the word.
            _, going = await asyncio.wait(going, timeout=TOLD_AGAIN_AFTER_S)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _start(self, ring: Ring) -> None:
        try:
            # In the group first: what is committed from here on rings here.
            await self._settle(ring.topic)
            ring.start_at(await in_database(log.span, ring.topic))
        except BaseException:
            if self.rings.get(ring.topic) is ring:
                self._drop(ring)
            raise
        finally:
            self.starting.pop(ring.topic, None)
        if ring.is_stale:
            self._catch_up(ring)

    def _drop(self, ring: Ring) -> None:
        del self.rings[ring.topic]
        stats.TOPICS.set(len(self.rings))
        if not self.is_closing:
            self._spawn(self._settle(ring.topic))

    async def _settle(self, topic: str) -> None:
        """Be in the topic's group if it is followed here, and out of it if not. Best effort."""
        clock = asyncio.get_running_loop().time
        async with self.membership:
            ring = self.rings.get(topic)
            if (
                self.channel is None
                or (ring and ring.has_joined)
                or clock() < self.layer_rests_until
            ):
                return
            layer, group = get_channel_layer(), doorbell.group_of(topic)
            try:
                async with asyncio.timeout(LAYER_TIMEOUT_S):
                    if ring is None:
                        await layer.group_discard(group, self.channel)
                    else:
                        await layer.group_add(group, self.channel)
                        ring.has_joined = True
                        if topic not in self.starting:
                            # Joined late: what was told in between rang for nobody.
                            self._catch_up(ring)
            except Exception as error:
                self.layer_rests_until = clock() + LAYER_REST_S
                logger.warning("hub.layer_unreachable", reason=repr(error))

    async def _listen(self) -> None:
        layer = get_channel_layer()
        for heard in count(1):
            if doorbell.is_being_cancelled():
                return
            try:
                if self.channel is None:
                    async with asyncio.timeout(LAYER_TIMEOUT_S):
                        self.channel = await layer.new_channel()
                    for topic in list(self.rings):
                        await self._settle(topic)
                self._hear(await layer.receive(self.channel))
            except Exception as error:
                logger.warning("hub.layer_unreachable", reason=repr(error))
                await asyncio.sleep(LAYER_REST_S)
            # A layer with messages in store may never yield by itself.
            if heard % HEARD_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _hear(self, message: doorbell.Message) -> None:
        self.has_heard = True
        if message == PROBE:
            return
        topic = message["topic"]
        ring = self.rings.get(topic)
        followers = ring.followers if ring else 0
        with tracing.span(
            "hear", after=[message.get("trace", "")], topic=topic, followers=followers
        ):
            self._take(message, topic, ring)

    def _take(self, message: doorbell.Message, topic: str, ring: Ring | None) -> None:
        if ring is None:
            self._spawn(self._settle(topic))
        elif topic in self.starting:
            ring.is_stale = True
        elif not ring.extend(doorbell.events_in(message)) or ring.last < message["last"]:
            self._catch_up(ring)

    async def _pulse(self) -> None:
        """Look into the log now and then: a doorbell may be lost, and may be the last."""
        while True:
            await asyncio.sleep(settings.STREAM_PULSE_S)
            rings = [ring for topic, ring in self.rings.items() if topic not in self.starting]
            if not rings:
                continue
            await self._review_guests()
            try:
                for ring in rings:
                    if not ring.has_joined:
                        await self._settle(ring.topic)
                known = {ring.topic: ring.last for ring in rings}
                spans = await in_database(log.spans, list(known))
            except Exception as error:
                logger.warning("hub.pulse_missed", reason=repr(error))
                continue
            # While the doorbell rings, what was committed since the last pulse may be on its way.
            has_heard, self.has_heard = self.has_heard, False
            is_behind = False
            for ring in rings:
                stands_at = spans.get(ring.topic, log.Span()).last
                due = ring.stood_at if has_heard else stands_at
                if due > ring.last or stands_at < known[ring.topic]:
                    is_behind = True
                    self._catch_up(ring)
                ring.stood_at = stands_at
            await self._doubt(is_behind=is_behind, has_heard=has_heard)

    async def _doubt(self, *, is_behind: bool, has_heard: bool) -> None:
        """A connection may be lost without a word, and TCP may take a quarter of an hour to see."""
        was_probing, self.is_probing = self.is_probing, False
        if has_heard:
            return
        if was_probing:
            await self._listen_anew()
        elif is_behind and self.channel is not None:
            try:
                async with asyncio.timeout(LAYER_TIMEOUT_S):
                    await get_channel_layer().send(self.channel, PROBE)
            except Exception as error:
                logger.warning("hub.layer_unreachable", reason=repr(error))
            else:
                self.is_probing = True

    async def _listen_anew(self) -> None:
        """Over connections of its own, and not over those over which nothing comes."""
        logger.warning("hub.layer_silent")
        layer = get_channel_layer()
        self.listening.cancel()
        async with self.membership:
            self.channel = None
            for ring in self.rings.values():
                ring.has_joined = False
            try:
                async with asyncio.timeout(LAYER_TIMEOUT_S):
                    await layer.flush()
            except Exception as error:
                logger.warning("hub.layer_unreachable", reason=repr(error))
        self.listening = self._spawn(self._listen())

    async def _review_guests(self) -> None:
        try:
            if await self.guests.review():
                for ring in self.rings.values():
                    ring.wake()
        except Exception as error:
            # Nobody is sent away because it is not known whether they may stay.
            logger.warning("hub.guests_not_reviewed", reason=repr(error))

    def _catch_up(self, ring: Ring) -> None:
        ring.is_stale = True
        if ring.reading is None or ring.reading.done():
            ring.reading = self._spawn(self._read_on(ring))

    async def _read_on(self, ring: Ring) -> None:
        while ring.is_stale:
            ring.is_stale = False
            stats.RECOVERIES.inc()
            try:
                events = await in_database(
                    log.read_after, ring.topic, ring.last, limit=PAGE, limit_bytes=RING_BYTES
                )
            except EventsTrimmed as trimmed:
                ring.restart_at(trimmed.oldest - 1)
                ring.is_stale = True
            else:
                ring.extend(events)
                ring.is_stale |= len(events) == PAGE or _size(events) >= RING_BYTES

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.chores.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self.chores.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.warning("hub.chore_failed", reason=repr(error))


def _size(events: Sequence[Event]) -> int:
    return sum(len(event.payload.encode()) for event in events)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def of_this_process() -> Hub:
    """The hub of the running event loop; made when the first follower comes."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


async def close() -> None:
    """Send every follower away: the process is going down."""
    await of_this_process().close()
