"""Whether a hub comes to its end."""

import asyncio

from channels.layers import get_channel_layer
from pytest_django.fixtures import Settings

from streaming import hub
from tests.streaming.layers import DullLayer, named


async def test_a_hub_closes_where_the_layer_swallows_the_word_to_end(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = named("DullLayer")
    hub.of_this_process()
    layer = get_channel_layer()
    assert isinstance(layer, DullLayer)
    await layer.is_waiting.wait()

    async with asyncio.timeout(10):
        await hub.close()
