"""A Redis that is full, slow, cut off or struck dumb: events are taken, and everybody gets them.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long).
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import redis as redis_client
from pytest_django.fixtures import Settings

from agentpipe import redis
from conversations.models import Project
from conversations.services import make_key
from tests.clients import Api
from tests.faults.proxy import Proxy
from tests.faults.test_followers import IS_LONG, follow_through
from tests.services import GivenRedis, RedisServer

LASTS_S = 20.0 if IS_LONG else 1.0

pytestmark = [pytest.mark.timeout(600), pytest.mark.processes]


@pytest.fixture
async def road(redis_server: RedisServer | GivenRedis, settings: Settings) -> AsyncIterator[Proxy]:
    """The only one to Redis, for doorbells and rates."""
    if isinstance(redis_server, GivenRedis):
        pytest.skip("a Redis that was given is not for us to trouble")
    async with Proxy(redis_server.port) as road:
        url = f"redis://127.0.0.1:{road.port}/0"
        settings.REDIS_URL = url
        settings.CHANNEL_LAYERS = {
            "default": {
                "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
                "CONFIG": {"hosts": redis.hosts(url), "prefix": "agentpipe"},
            }
        }
        yield road


@pytest.fixture
def key(project: Project) -> str:
    """Its rates are asked for, and never reached."""
    return make_key(project, "tests", rates={"bridge": "100000/60", "streams": "100000/60"})[1]


Trouble = Callable[[Proxy], None]


def be_slow(road: Proxy) -> None:
    road.delay_s = 0.2


TROUBLES: dict[str, Trouble] = {
    "slow": be_slow,
    "unreachable": lambda road: road.block(there=True, back=True),
    "deaf": lambda road: road.block(there=True, back=False),
    "dumb": lambda road: road.block(there=False, back=True),
    "stranded": Proxy.strand,
}


@pytest.mark.parametrize("trouble", TROUBLES if IS_LONG else ["slow", "stranded"])
async def test_everyone_ends_with_the_log_while_redis_is(
    trouble: str, api: Api, key: str, road: Proxy
) -> None:
    async def meanwhile() -> None:
        await asyncio.sleep(0.2)
        TROUBLES[trouble](road)
        await asyncio.sleep(LASTS_S)
        road.heal()

    await follow_through(api, key, meanwhile=meanwhile)


async def test_everyone_ends_with_the_log_while_redis_takes_nothing_more(
    api: Api, key: str, road: Proxy
) -> None:
    with redis_client.Redis(port=road.target) as client:
        client.config_set("maxmemory-policy", "noeviction")

        async def be_full() -> None:
            client.config_set("maxmemory", "1kb")
            await asyncio.sleep(LASTS_S)

        try:
            await follow_through(api, key, meanwhile=be_full)
            with pytest.raises(redis_client.exceptions.OutOfMemoryError):
                client.set("one", "more")
        finally:
            client.config_set("maxmemory", "0")
