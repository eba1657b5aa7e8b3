"""The channel layer of a server that is one process and has no Redis."""

import asyncio
from contextlib import suppress
from typing import Any

from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer

Message = dict[str, Any]


class WithinProcess(InMemoryChannelLayer):
    """Channels' own copies every message, and looks at every group for each of them.

    Here messages are handed over as they are: whoever hears them changes nothing. A membership
    lasts until it is given back.
    """

    async def send(self, channel: str, message: Message) -> None:
        try:
            self._queue_of(channel).put_nowait(message)
        except asyncio.QueueFull as error:
            raise ChannelFull(channel) from error

    async def receive(self, channel: str) -> Message:
        queue = self._queue_of(channel)
        try:
            return await queue.get()
        finally:
            if queue.empty():
                self.channels.pop(channel, None)

    async def group_send(self, group: str, message: Message) -> None:
        for channel in list(self.groups.get(group, ())):
            # It is a doorbell, and may be lost.
            with suppress(ChannelFull):
                await self.send(channel, message)
        # Whoever sends much lets those who listen keep up.
        await asyncio.sleep(0)

    def _queue_of(self, channel: str) -> "asyncio.Queue[Message]":
        queue: asyncio.Queue[Message] = self.channels.setdefault(
            channel, asyncio.Queue(self.get_capacity(channel))
        )
        return queue
