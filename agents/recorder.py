"""One per worker: writes what all its runs have to tell, many at a time.

Pieces of text that come between two writes are one event. A run's first piece, and whatever a run
waits for, is written at once; the rest within some milliseconds. After a long write it rests as
long: the more runs there are to write of, the more pieces are one event.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import structlog
from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError
from psycopg.errors import ProgramLimitExceeded

from agents import stats
from agents.models import AgentRun
from agents.scribe import RunScribe
from agents.working import Entry, record_steps
from streaming import tracing

# From the beginning of one write to that of the next, where they are short.
WRITES_EVERY_S = 0.04
LONGEST_REST_S = 0.1
AGAIN_S = 0.5
PROGRESS_EVERY_S = 1.0

P = ParamSpec("P")
R = TypeVar("R")

logger = structlog.get_logger(__name__)


async def in_database(change: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    found: R = await database_sync_to_async(change, thread_sensitive=False)(*args, **kwargs)
    return found


async def persistently(change: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Again and again, while the database is away: what is to be written waits."""
    while True:
        try:
            return await in_database(change, *args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            # Too long or too deep: for psycopg that is a fault of operation, and it would stay.
            if isinstance(error.__cause__, ProgramLimitExceeded):
                raise
            logger.warning("recorder.database_away", reason=repr(error), again_in_s=AGAIN_S)
            await asyncio.sleep(AGAIN_S)


class Recorder:
    def __init__(self) -> None:
        self._news: dict[RunScribe, None] = {}
        self._writing: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._rests_until = float("-inf")
        self._progress_at: dict[tuple[int, str], float] = {}

    def note(self, scribe: RunScribe, *, is_urgent: bool = False) -> None:
        """A scribe has something to be written."""
        self._news[scribe] = None
        if is_urgent:
            self._hurry.set()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    def is_progress_due(self, run: AgentRun) -> bool:
        """Of all runs of an agent, one report a second is kept."""
        agent, now = (run.project_id, run.agent_id), time.monotonic()
        if now - self._progress_at.get(agent, float("-inf")) < PROGRESS_EVERY_S:
            return False
        self._progress_at[agent] = now
        return True

    async def _write(self) -> None:
        try:
            while self._news:
                await self._pause()
                scribes = list(self._news)
                self._news.clear()
                taken = [(scribe, scribe.take()) for scribe in scribes]
                batch = [(scribe, entry) for scribe, entry in taken if entry is not None]
                clock = asyncio.get_running_loop().time
                began_at = clock()
                if batch:
                    await self._write_batch(batch)
                took_s = clock() - began_at
                rest_s = min(max(WRITES_EVERY_S - took_s, took_s), LONGEST_REST_S)
                self._rests_until = clock() + rest_s
        finally:
            self._writing = None

    async def _pause(self) -> None:
        wait_s = self._rests_until - asyncio.get_running_loop().time()
        if wait_s > 0 and not self._hurry.is_set():
            try:
                async with asyncio.timeout(wait_s):
                    await self._hurry.wait()
            except TimeoutError:
                pass
        self._hurry.clear()

    async def _write_batch(self, batch: Sequence[tuple[RunScribe, Entry]]) -> None:
        try:
            entries = [entry for _, entry in batch]
            traces = [entry.run.trace for entry in entries]
            with stats.RECORDING.time(), tracing.span("recorder", after=traces):
                lost = await persistently(record_steps, entries)
        except Exception:
            if len(batch) > 1:
                # What one run has to say must not silence the others: half by half it is found.
                middle = len(batch) // 2
                await self._write_batch(batch[:middle])
                await self._write_batch(batch[middle:])
                return
            scribe = batch[0][0]
            logger.exception("recorder.refused", run=scribe.run.public_id)
            scribe.was_refused()
            return
        stats.WRITTEN.inc(sum(len(entry.steps) for _, entry in batch))
        for scribe, entry in batch:
            scribe.was_written(is_lost=entry.claim in lost)


_recorders: WeakKeyDictionary[asyncio.AbstractEventLoop, Recorder] = WeakKeyDictionary()


def of_this_process() -> Recorder:
    """The recorder of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _recorders:
        _recorders[loop] = Recorder()
    return _recorders[loop]
