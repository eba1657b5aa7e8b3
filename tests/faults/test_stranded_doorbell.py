"""A connection to Redis is lost and nobody is told: the doorbell is heard again all the same."""

import asyncio

import pytest
from pytest_django.fixtures import Settings

from streaming import hub
from tests.clients import Api, Socket, eventually
from tests.faults.proxy import Proxy
from tests.faults.test_redis_troubles import road

__all__ = ["road"]

pytestmark = [pytest.mark.timeout(600), pytest.mark.processes]


async def test_a_hub_that_hears_nothing_any_more_listens_anew(
    api: Api, key: str, road: Proxy, settings: Settings
) -> None:
    conversation = await api.start()
    settings.STREAM_PULSE_S = 0.2
    async with Socket(f"/api/stream/conversations/{conversation}", key=key) as socket:
        await socket.frame()
        house = hub.of_this_process()
        await eventually(lambda: all(ring.has_joined for ring in house.rings.values()))
        before = house.channel
        road.strand()
        said = 0
        async with asyncio.timeout(120):
            while house.channel in {before, None}:
                said += 1
                await api.say(conversation, str(said))
                assert (await socket.frame())["data"]["message"]["content"] == str(said)
        await eventually(lambda: all(ring.has_joined for ring in house.rings.values()))
        # One pulse may still come, and bring one of these: the others come by the doorbell alone.
        settings.STREAM_PULSE_S = 600
        for number in range(said, said + 5):
            await api.say(conversation, str(number))
            assert (await socket.frame())["data"]["message"]["content"] == str(number)
