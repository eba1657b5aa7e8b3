"""The floor: a server that does nothing but `websockets.broadcast`."""

import asyncio
import time
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.clients import HOST
from benchmarks.processes import Pipe, next_command, paced

GREETING = '{"type":"connected"}'
FRAME_HEADER_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Send so many events to everybody, with a gap between them or as fast as it goes."""

    events: int
    frame_bytes: int
    gap_s: float = 0.0


async def main(pipe: "Pipe") -> None:
    followers: set[ServerConnection] = set()

    async def welcome(follower: ServerConnection) -> None:
        await follower.send(GREETING)
        followers.add(follower)
        await follower.wait_closed()
        followers.discard(follower)

    server = await serve(welcome, HOST, 0, compression=None)
    pipe.send(server.sockets[0].getsockname()[1])
    while isinstance(command := await next_command(pipe), Tell):
        for pause_s in paced(command.events, gap_s=command.gap_s):
            await asyncio.sleep(pause_s)
            broadcast(followers, text(command.frame_bytes - FRAME_HEADER_BYTES))


def text(size: int) -> str:
    """A text of this size that says when it was made, as the ids of events do."""
    return f'{{"id":"{int(time.time() * 1000)}_0001_00000000","data":"'.ljust(size - 2, "x") + '"}'
