"""One clock for all who play by it: those who wait for about the same moment wake together."""

import asyncio
import math
from weakref import WeakKeyDictionary

TICK_S = 0.005

Waiting = dict[int, list[asyncio.Future[None]]]

# A timer for each piece of each of some hundred runs costs more than what is told at its end.
_waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, Waiting] = WeakKeyDictionary()


async def until(moment: float) -> None:
    """Sleep until that time of the running loop, and up to a tick longer."""
    loop = asyncio.get_running_loop()
    ticks = _waiting.setdefault(loop, {})
    tick = math.ceil(moment / TICK_S)
    waiter: asyncio.Future[None] = loop.create_future()
    if tick in ticks:
        ticks[tick].append(waiter)
    else:
        ticks[tick] = [waiter]
        loop.call_at(tick * TICK_S, _strike, ticks, tick)
    await waiter


def _strike(ticks: Waiting, tick: int) -> None:
    for waiter in ticks.pop(tick):
        if not waiter.done():
            waiter.set_result(None)
