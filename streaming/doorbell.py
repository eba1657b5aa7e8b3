"""The doorbell: word over the channel layer that a topic has grown.

It is a hint and nothing more. It is sent without anybody waiting for it, it may be lost, and the
hubs that hear nothing look into the log by themselves.
"""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from channels.layers import get_channel_layer

from streaming import stats, tracing
from streaming.appending import Told
from streaming.events import Event
from streaming.layer import WithinProcess

SEND_TIMEOUT_S = 2.0
QUEUE_LENGTH = 10_000
# What may wait to be sent: a Redis that hangs holds each for as long as the timeout.
QUEUE_BYTES = 64 * 1024 * 1024
# A longer announcement only says how far the topic has grown, and the hub reads the log.
LARGEST_ANNOUNCEMENT = 256 * 1024
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Message = dict[str, Any]

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a transaction has told its topics; of none, that this was the last."""

    told: Sequence[Told] = ()
    trace: str = ""

    @property
    def size(self) -> int:
        return sum(one.size for one in self.told)


def group_of(topic: str) -> str:
    """The channel layer's name of a topic's group (it allows no colon)."""
    return topic.replace(":", ".")


def announce(told: Sequence[Told]) -> None:
    """Ring for what was told, from any thread, and wait for nothing."""
    _current_ringer().ring(Word(told=told, trace=tracing.here()))


def events_in(message: Message) -> list[Event]:
    """The events that an announcement carries; none where it was too large to carry them."""
    if "packed" not in message:
        events: list[Event] = message["events"]
        return events
    return [
        Event(
            topic=message["topic"],
            seq=seq,
            kind=kind,
            payload=payload,
            subject=subject,
            occurred_at=EPOCH + timedelta(microseconds=occurred_us),
            recorded_at=EPOCH + timedelta(microseconds=recorded_us),
            tag=tag,
            is_final=is_final,
        )
        for seq, kind, payload, subject, occurred_us, recorded_us, tag, is_final in message[
            "packed"
        ]
    ]


class Ringer:
    """Sends announcements, one after the other, on the event loop that made it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_heard = True
        self.queue: asyncio.Queue[Word] = asyncio.Queue(QUEUE_LENGTH)
        self.held_bytes = 0
        self.task = self.loop.create_task(self._send_all(), name="doorbell")

    def ring(self, word: Word) -> None:
        self.loop.call_soon_threadsafe(self._post, word)

    def retire(self) -> None:
        """End, once all is sent that was announced before; with the loop, where it is its own."""
        with suppress(RuntimeError):  # the loop is closed: it has ended
            self.ring(Word())

    def _post(self, word: Word) -> None:
        # One that is larger than all that may wait goes where nothing does.
        if self.queue.full() or (self.held_bytes and self.held_bytes + word.size > QUEUE_BYTES):
            stats.DOORBELLS_LOST.inc(len(word.told))
            return
        self.held_bytes += word.size
        self.queue.put_nowait(word)

    async def _send_all(self) -> None:
        while not is_being_cancelled():
            word = await self.queue.get()
            self.held_bytes -= word.size
            if not word.told:
                return
            with tracing.span("ring", after=[word.trace], topics=len(word.told)):
                await self._announce(word.told)

    async def _announce(self, told: Sequence[Told]) -> None:
        layer = get_channel_layer()
        if isinstance(layer, WithinProcess):
            await self._hand_over(told, layer)
            return
        for one in told:
            await self._send(_packed_message(one), layer)

    async def _hand_over(self, told: Sequence[Told], layer: WithinProcess) -> None:
        """The events themselves, of all topics at once: there is nothing to wait for."""
        for one in told:
            group = group_of(one.topic)
            if layer.has(group):
                layer.hand_over(group, _message(one))
        stats.DOORBELLS_RUNG.inc(len(told))
        # Whoever sends much lets those who listen keep up.
        await asyncio.sleep(0)

    async def _send(self, message: Message, layer: Any) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await layer.group_send(group_of(message["topic"]), message)
        except Exception as error:
            stats.DOORBELLS_LOST.inc()
            self._note(is_heard=False, reason=repr(error))
        else:
            stats.DOORBELLS_RUNG.inc()
            self._note(is_heard=True)

    def _note(self, *, is_heard: bool, **why: str) -> None:
        if is_heard != self.is_heard:
            self.is_heard = is_heard
            logger.warning("doorbell.heard" if is_heard else "doorbell.lost", **why)


_lock = threading.Lock()
_ringer: Ringer | None = None


def take_over() -> Ringer:
    """Ring on the running loop from now on: a hub lives here, and hears the in-memory layer."""
    global _ringer
    with _lock:
        before, _ringer = _ringer, Ringer()
    if before is not None:
        before.retire()
    return _ringer


def is_being_cancelled() -> bool:
    """Whether the running task was told to end: a Redis client may have swallowed the word."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _current_ringer() -> Ringer:
    global _ringer
    with _lock:
        if _ringer is None or _ringer.loop.is_closed() or _ringer.task.done():
            _ringer = _ringer_in_a_thread()
        return _ringer


def _ringer_in_a_thread() -> Ringer:
    ready: Future[Ringer] = Future()

    async def run() -> None:
        ringer = Ringer()
        ready.set_result(ringer)
        await ringer.task

    threading.Thread(target=lambda: asyncio.run(run()), name="doorbell", daemon=True).start()
    return ready.result()


def _message(told: Told) -> Message:
    return {
        "type": "doorbell",
        "topic": told.topic,
        "last": told.last,
        "events": [] if told.size > LARGEST_ANNOUNCEMENT else told.events(),
        "trace": tracing.here(),
    }


def _packed_message(told: Told) -> Message:
    message = _message(told)
    message["packed"] = [_packed(event) for event in message.pop("events")]
    return message


def _packed(event: Event) -> tuple[Any, ...]:
    return (
        event.seq,
        event.kind,
        event.payload,
        event.subject,
        (event.occurred_at - EPOCH) // MICROSECOND,
        (event.recorded_at - EPOCH) // MICROSECOND,
        event.tag,
        event.is_final,
    )
