"""The channel layer of a server that is one process and has no Redis."""

import asyncio
from contextlib import suppress
from typing import Any

from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer

# What a hub may have left to hear: a transaction may ring for hundreds of topics.
CAPACITY = 10_000

Message = dict[str, Any]


class WithinProcess(InMemoryChannelLayer):
    """Channels' own copies every message, and looks at every group for each of them.

    Here messages are handed over as they are: whoever hears them changes nothing. A membership
    lasts until it is given back.
    """

    def __init__(self, capacity: int = CAPACITY, **options: Any) -> None:
        super().__init__(capacity=capacity, **options)

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
        self.hand_over(group, message)
        # Whoever sends much lets those who listen keep up.
        await asyncio.sleep(0)

    def has(self, group: str) -> bool:
        """Whether anybody is in the group."""
        return bool(self.groups.get(group))

    def hand_over(self, group: str, message: Message) -> None:
        """To whoever is in the group, at once."""
        for channel in self.groups.get(group, ()):
            # It is a doorbell, and may be lost.
            with suppress(asyncio.QueueFull):
                self._queue_of(channel).put_nowait(message)

    def _queue_of(self, channel: str) -> "asyncio.Queue[Message]":
        queue: asyncio.Queue[Message] | None = self.channels.get(channel)
        if queue is None:
            queue = self.channels[channel] = asyncio.Queue(self.get_capacity(channel))
        return queue
