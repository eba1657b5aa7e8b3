"""An event and services of no domain, to try the log and its followers with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from channels.db import database_sync_to_async

from streaming.events import Event
from streaming.follow import Follower, Truncated, following
from streaming.publish import publish, transactional


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    number: int
    kind: str = "lab.happened"
    subject: str = ""
    is_final: bool = False
    padding: str = ""
    occurred_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def payload(self) -> dict[str, Any]:
        return {"lab": {"number": self.number, "padding": self.padding}}


@transactional
def tell(*topics: str, numbers: range, **details: Any) -> None:
    """Publish events of these numbers in one transaction."""
    for number in numbers:
        publish(Happened(number=number, **details), *topics)


async def atell(*topics: str, numbers: range, **details: Any) -> None:
    run = database_sync_to_async(tell, thread_sensitive=False)
    await run(*topics, numbers=numbers, **details)


@asynccontextmanager
async def follow(topic: str, after: int | None = 0, **options: Any) -> AsyncIterator[Follower]:
    async with following(topic, after=after, transport="lab", **options) as follower:
        yield follower


async def collect(follower: Follower, *, until: int) -> list[int | Truncated]:
    """The numbers of events up to one, and notices as they come."""
    found: list[int | Truncated] = []
    async for batch in follower:
        found += [batch] if isinstance(batch, Truncated) else [event.seq for event in batch]
        if found and isinstance(found[-1], int) and found[-1] >= until:
            break
    return found


def numbers(events: list[Event]) -> list[int]:
    return [event.seq for event in events]
