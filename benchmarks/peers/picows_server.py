"""picows: a WebSocket library in Cython."""

import uvloop
from picows import WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from benchmarks.clients import HOST
from benchmarks.peers.telling import GREETING, announce, texts

followers: set[WSTransport] = set()


class Follower(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, GREETING.encode())
        followers.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        followers.discard(transport)


def welcome(request: WSUpgradeRequest) -> Follower:
    return Follower()


async def main() -> None:
    server = await ws_create_server(welcome, HOST, 0, backlog=2048)
    announce(server.sockets[0].getsockname()[1])
    async for text in texts():
        frame = text.encode()
        for follower in followers:
            follower.send(WSMsgType.TEXT, frame)


if __name__ == "__main__":
    uvloop.run(main())
