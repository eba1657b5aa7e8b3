"""What waits to be rung for, where the layer takes nothing."""

import pytest
from channels.layers import get_channel_layer
from pytest_django.fixtures import Settings

from streaming import doorbell, hub
from streaming.stats import DOORBELLS_LOST
from tests.clients import eventually
from tests.streaming.lab import atell, collect, follow
from tests.streaming.layers import HeldLayer, named

pytestmark = pytest.mark.usefixtures("closed_hub")

TELLS = 10
PADDING = 4_000


def lost() -> float:
    (family,) = DOORBELLS_LOST.collect()
    return family.samples[0].value


async def test_what_waits_is_bounded_in_bytes_and_nothing_is_missed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHANNEL_LAYERS = named("HeldLayer")
    settings.STREAM_PULSE_S = 0.05
    monkeypatch.setattr(doorbell, "QUEUE_BYTES", 3 * PADDING)
    monkeypatch.setattr(doorbell, "SEND_TIMEOUT_S", 600)
    lost_before = lost()
    async with follow("lab:1") as follower:
        ringer = hub.of_this_process().ringer
        for number in range(TELLS):
            await atell("lab:1", numbers=range(number, number + 1), padding="x" * PADDING)
        # One is on its way, and two may wait.
        await eventually(lambda: lost() - lost_before == TELLS - 3)
        assert 2 * PADDING < ringer.held_bytes <= 3 * PADDING
        layer = get_channel_layer()
        assert isinstance(layer, HeldLayer)
        layer.may_go.set()
        assert await collect(follower, until=TELLS) == list(range(1, TELLS + 1))
        await eventually(lambda: ringer.held_bytes == 0)


async def test_one_that_is_larger_than_all_that_may_wait_is_rung_for(
    layer: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STREAM_PULSE_S = 600
    monkeypatch.setattr(doorbell, "QUEUE_BYTES", PADDING)
    async with follow("lab:1") as follower:
        await atell("lab:1", numbers=range(3), padding="x" * PADDING)
        assert await collect(follower, until=3) == [1, 2, 3]
