"""The floor: `websockets.broadcast` and nothing else."""

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.clients import HOST
from benchmarks.peers.telling import GREETING, announce, texts


async def main() -> None:
    followers: set[ServerConnection] = set()

    async def welcome(follower: ServerConnection) -> None:
        await follower.send(GREETING)
        followers.add(follower)
        await follower.wait_closed()
        followers.discard(follower)

    server = await serve(welcome, HOST, 0, compression=None, backlog=2048)
    announce(server.sockets[0].getsockname()[1])
    async for text in texts():
        broadcast(followers, text)


if __name__ == "__main__":
    uvloop.run(main())
