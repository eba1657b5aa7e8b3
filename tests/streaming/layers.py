"""Channel layers that misbehave."""

import asyncio
import random
from contextlib import suppress
from typing import Any

from channels.layers import InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer


class NaughtyLayer(InMemoryChannelLayer):
    """Drops, repeats and reorders what it is given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.random = random.Random(7)
        self.held_back: list[tuple[str, Any]] = []

    async def group_send(self, group: str, message: Any) -> None:
        match self.random.choice(["drop", "repeat", "hold", "pass"]):
            case "drop":
                return
            case "repeat":
                await super().group_send(group, message)
            case "hold":
                self.held_back.append((group, message))
                return
        await super().group_send(group, message)
        if self.held_back:
            await super().group_send(*self.held_back.pop())


class DeadLayer(InMemoryChannelLayer):
    """Takes nothing and lets nobody in."""

    async def group_send(self, group: str, message: Any) -> None:
        raise ConnectionError("the layer is dead")

    async def group_add(self, group: str, channel: str) -> None:
        raise ConnectionError("the layer is dead")

    async def group_discard(self, group: str, channel: str) -> None:
        raise ConnectionError("the layer is dead")

    async def new_channel(self, prefix: str = "specific.") -> str:
        raise ConnectionError("the layer is dead")


class HeldLayer(InMemoryChannelLayer):
    """Takes as long as it likes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.may_go = asyncio.Event()

    async def group_send(self, group: str, message: Any) -> None:
        await self.may_go.wait()
        await super().group_send(group, message)


class DeafLayer(InMemoryChannelLayer):
    """Takes everything and lets everybody in, and hands nothing over."""

    async def group_send(self, group: str, message: Any) -> None:
        return


class DullLayer(InMemoryChannelLayer):
    """Does not understand that it is to end when it is told for the first time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_waiting = asyncio.Event()

    async def new_channel(self, prefix: str = "specific.") -> str:
        self.is_waiting.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        channel: str = await super().new_channel(prefix)
        return channel


class LossyRedisLayer(RedisPubSubChannelLayer):
    """Redis, of whose messages every fifth is lost on the way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.random = random.Random(7)

    async def group_send(self, group: str, message: Any) -> None:
        if self.random.random() >= 0.2:
            await self._get_layer().group_send(group, message)


def named(name: str, **config: Any) -> dict[str, Any]:
    """The CHANNEL_LAYERS setting with one of the above."""
    return {"default": {"BACKEND": f"{__name__}.{name}", "CONFIG": config}}
