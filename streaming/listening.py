"""Whether the doorbell is heard: one ear more on a topic, for as long as something is told."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from streaming import doorbell, hub, log

HEARD_WITHIN_S = 2.0

logger = structlog.get_logger(__name__)


async def heard_after(topic: str, tell: Callable[[], object]) -> datetime | None:
    """Do what is told on a topic; says when the doorbell rang for it, or None if it did not.

    It is done in any case: the channel layer may be dead.
    """
    # Where there is a hub the bell is rung on its loop; an ear does not wake to another thread's.
    hub.of_this_process()
    heard: asyncio.Queue[tuple[int, datetime]] = asyncio.Queue()
    has_joined = asyncio.Event()
    listening = asyncio.create_task(_listen(topic, heard, has_joined))
    joining = asyncio.create_task(has_joined.wait())
    try:
        await asyncio.wait(
            {listening, joining}, timeout=HEARD_WITHIN_S, return_when=asyncio.FIRST_COMPLETED
        )
        await database_sync_to_async(tell)()
        last = (await database_sync_to_async(log.span)(topic)).last
        return await _rung_for(last, heard) if has_joined.is_set() else None
    finally:
        joining.cancel()
        listening.cancel()
        # Not for ever: a Redis client may have swallowed the word.
        await asyncio.wait({joining, listening}, timeout=HEARD_WITHIN_S)


async def _listen(
    topic: str, heard: asyncio.Queue[tuple[int, datetime]], has_joined: asyncio.Event
) -> None:
    layer, group = get_channel_layer(), doorbell.group_of(topic)
    try:
        channel = await layer.new_channel()
        await layer.group_add(group, channel)
        try:
            has_joined.set()
            while not doorbell.is_being_cancelled():
                message = await layer.receive(channel)
                heard.put_nowait((message["last"], datetime.now(UTC)))
        finally:
            with suppress(Exception):
                await layer.group_discard(group, channel)
    except Exception as error:
        logger.warning("listening.layer_unreachable", reason=repr(error))


async def _rung_for(last: int, heard: asyncio.Queue[tuple[int, datetime]]) -> datetime | None:
    with suppress(TimeoutError):
        async with asyncio.timeout(HEARD_WITHIN_S):
            while True:
                number, at = await heard.get()
                if number >= last:
                    return at
    return None
