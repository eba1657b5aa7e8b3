"""Each test of followers runs over the in-memory layer and over Redis."""

from collections.abc import AsyncIterator

import pytest
from pytest_django.fixtures import Settings

from streaming import hub
from tests.services import GivenRedis, RedisServer
from tests.streaming.layers import named

REDIS_LAYER = "channels_redis.pubsub.RedisPubSubChannelLayer"


@pytest.fixture(params=["memory", "redis"])
def layer(request: pytest.FixtureRequest, settings: Settings) -> str:
    if request.param == "redis":
        server: RedisServer | GivenRedis = request.getfixturevalue("redis_server")
        settings.CHANNEL_LAYERS = {
            "default": {"BACKEND": REDIS_LAYER, "CONFIG": {"hosts": [server.url]}}
        }
    return str(request.param)


@pytest.fixture
def naughty_layer(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = named("NaughtyLayer")


@pytest.fixture
def dead_layer(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = named("DeadLayer")


@pytest.fixture
async def closed_hub(transactional_db: None) -> AsyncIterator[None]:
    """The hub is made by the first follower, after the test has chosen its channel layer."""
    yield
    await hub.close()
