"""Where requests of the short way in stand, while the ones before them are written."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass
from typing import Any

import structlog
from channels.db import database_sync_to_async

from agentpipe.api.authentication import Visit
from streaming import tracing

MOST_WAITING = 2_000
MOST_BYTES_WAITING = 256 * 1024 * 1024
# What is written together is of so many bytes at the most, but for one that is larger by itself.
MOST_BYTES_TOGETHER = 8 * 1024 * 1024
BUSY = {"error": "Too many events are waiting to be written, try again"}
RETRY_AFTER_S = 1

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A request whose headers are plain, and its whole body."""

    visit: Visit
    idempotency_key: str | None
    body: bytes
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    body: dict[str, Any]
    headers: dict[str, str]


# In a thread, all in one transaction; None where Django is to be asked for the answer.
Write = Callable[[Sequence[Knock]], Sequence[Reply | None]]


class Line:
    """The requests that wait; tasks that write all of them are there as long as any do."""

    def __init__(self, write: Write, *, most_together: int, most_writing: int) -> None:
        self.most_together = most_together
        self.most_writing = most_writing
        self.waiting: list[tuple[Knock, asyncio.Future[Reply | None]]] = []
        self.bytes_waiting = 0
        self.writing: set[asyncio.Task[None]] = set()
        # Threads of its own: whatever else wants one need not wait for a flood of events.
        threads = ThreadPoolExecutor(most_writing, "ingest")
        self._write_in_thread = database_sync_to_async(
            write, thread_sensitive=False, executor=threads
        )

    async def wait_for(self, knock: Knock) -> Reply | None:
        """The answer; None where Django is to be asked for it."""
        if len(self.waiting) >= MOST_WAITING or self.bytes_waiting >= MOST_BYTES_WAITING:
            return Reply(status=503, body=BUSY, headers={"Retry-After": str(RETRY_AFTER_S)})
        place: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self.waiting.append((knock, place))
        self.bytes_waiting += len(knock.body)
        if len(self.writing) < self.most_writing:
            # Not in the name of the one who came first.
            writing = asyncio.create_task(self._write(), context=Context())
            self.writing.add(writing)
            writing.add_done_callback(self.writing.discard)
        return await place

    async def _write(self) -> None:
        while self.waiting:
            together = self._next()
            replies: Sequence[Reply | None] = [None] * len(together)
            try:
                knocks = [knock for knock, _ in together]
                with tracing.span("write", after=[knock.trace for knock in knocks]):
                    replies = await self._write_in_thread(knocks)
            except Exception:
                # Each is tried again by itself: what is wrong with one is not its neighbours'.
                logger.warning("ingest.not_together", requests=len(together), exc_info=True)
            for (_, place), reply in zip(together, replies, strict=True):
                if not place.done():
                    place.set_result(reply)

    def _next(self) -> list[tuple[Knock, asyncio.Future[Reply | None]]]:
        size = count = 0
        for knock, _ in self.waiting[: self.most_together]:
            if count and size + len(knock.body) > MOST_BYTES_TOGETHER:
                break
            size += len(knock.body)
            count += 1
        together, self.waiting = self.waiting[:count], self.waiting[count:]
        self.bytes_waiting -= size
        return together
