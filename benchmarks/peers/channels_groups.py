"""Channels as its documentation shows it: a group over channels_redis, under Daphne.

Another process sends to the group, as views and workers do.
"""

import asyncio
import os
import subprocess
import sys
from typing import Any

from django.conf import settings

settings.configure(
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {
                # Its own reads wait for longer than a client of today waits for an answer.
                "hosts": [{"address": os.environ["REDIS_URL"], "socket_timeout": None}],
                "capacity": 10_000,
            },
        }
    }
)

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402

from benchmarks.agentpipe_server import free_port  # noqa: E402
from benchmarks.clients import HOST  # noqa: E402
from benchmarks.peers.telling import GREETING, announce, texts  # noqa: E402

GROUP = "everybody"


class Follower(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()
        await self.send(GREETING)

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def told(self, message: dict[str, Any]) -> None:
        await self.send(message["text"])


application = ProtocolTypeRouter({"websocket": Follower.as_asgi()})


def main() -> None:
    port = free_port()
    place = f"{__spec__.name}:application"
    patience = ["--websocket_connect_timeout", "60"]
    command = [sys.executable, "-m", "daphne", "-v", "0", "-b", HOST, "-p", str(port), *patience]
    daphne = subprocess.Popen([*command, place], stdin=subprocess.DEVNULL)
    try:
        asyncio.run(_tell_all(port))
    finally:
        daphne.terminate()
        daphne.wait()


async def _tell_all(port: int) -> None:
    await _await_port(port)
    announce(port)
    layer = get_channel_layer()
    async for text in texts():
        await layer.group_send(GROUP, {"type": "told", "text": text})


async def _await_port(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


if __name__ == "__main__":
    main()
