"""Whether the doorbell is heard, by an ear beside the hubs'."""

from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from streaming import listening
from tests.streaming.lab import atell, tell
from tests.streaming.layers import named

pytestmark = pytest.mark.usefixtures("closed_hub")


async def test_the_doorbell_is_heard_after_what_it_tells_of(layer: str) -> None:
    await atell("lab:1", numbers=range(3))
    told: list[datetime] = []

    def say() -> None:
        tell("lab:1", numbers=range(1))
        told.append(datetime.now(UTC))

    before = datetime.now(UTC)
    rung_at = await listening.heard_after("lab:1", say)

    assert rung_at is not None
    assert before < rung_at < datetime.now(UTC)
    assert told


@pytest.mark.parametrize("broken", ["DeadLayer", "DeafLayer"])
async def test_it_is_told_all_the_same_where_the_layer_is_dead_or_deaf(
    broken: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    settings.CHANNEL_LAYERS = named(broken)
    monkeypatch.setattr(listening, "HEARD_WITHIN_S", 0.2)
    told: list[bool] = []

    def say() -> None:
        tell("lab:1", numbers=range(1))
        told.append(True)

    assert await listening.heard_after("lab:1", say) is None
    assert told == [True]


async def test_what_cannot_be_told_is_raised_and_nobody_goes_on_listening(layer: str) -> None:
    def fail() -> None:
        raise LookupError("there is nothing to tell")

    with pytest.raises(LookupError):
        await listening.heard_after("lab:1", fail)
