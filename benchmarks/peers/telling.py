"""What every peer in Python is asked for: so many texts, at a pace."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator

from benchmarks.processes import paced

GREETING = '{"type":"connected"}'


async def texts() -> AsyncIterator[str]:
    """Each when it is due, for as long as somebody asks for more."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        for pause_s in paced(asked["events"], gap_s=asked["gap_s"]):
            # Also where it is not to wait: those who listen are to be served in between.
            await asyncio.sleep(pause_s)
            yield text(asked["bytes"])


def announce(port: int) -> None:
    print(port, flush=True)


def text(size: int) -> str:
    """A text of this size that says when it was made, as the ids of events do."""
    return f'{{"id":"{int(time.time() * 1000)}_0001_00000000","data":"'.ljust(size - 2, "x") + '"}'
