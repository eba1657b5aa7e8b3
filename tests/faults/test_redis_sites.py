"""More than one Redis: topics spread over several, and one that takes over where another dies."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis as redis_client
from pytest_django.fixtures import Settings

from agentpipe import redis
from tests.clients import Api, Socket, eventually
from tests.services import GivenRedis, RedisServer, free_port

CONVERSATIONS = 8
SERVICE = "tower"

pytestmark = [pytest.mark.timeout(120), pytest.mark.processes]


@pytest.fixture
def program(redis_server: RedisServer | GivenRedis) -> str:
    if isinstance(redis_server, GivenRedis):
        pytest.skip("only of Redis servers of our own can there be several")
    return redis_server.program


@pytest.fixture
def both(program: str, tmp_path: Path) -> Iterator[list[RedisServer]]:
    servers = [RedisServer(program, tmp_path / name) for name in ("first", "second")]
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.kill()


def spread_over(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": redis.hosts(url), "prefix": "agentpipe"},
        }
    }
    # What comes in time has come by the doorbell.
    settings.STREAM_PULSE_S = 3600


async def test_several_share_the_topics(
    api: Api, key: str, both: list[RedisServer], settings: Settings
) -> None:
    spread_over(settings, ",".join(server.url for server in both))

    for _ in range(CONVERSATIONS):
        conversation = await api.start()
        async with Socket(f"/api/stream/conversations/{conversation}", key=key) as socket:
            await socket.frame()
            await api.say(conversation, "Hello")
            assert (await socket.frame())["type"] == "message.created"

    for server in both:
        with redis_client.Redis(port=server.port) as client:
            assert client.info("commandstats")["cmdstat_publish"]["calls"] > 0


class Watched:
    """A server, its replica, and a sentinel that puts the one in the place of the other."""

    def __init__(self, program: str, folder: Path) -> None:
        self.servers = [RedisServer(program, folder / name) for name in ("first", "second")]
        self.port = free_port()
        self.url = f"redis+sentinel://127.0.0.1:{self.port}/{SERVICE}"
        self.settings = folder / "sentinel.conf"
        self.settings.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\nlogfile {folder}/log\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.servers[0].port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        self.stack = ExitStack()

    def start(self, program: str) -> None:
        for server in self.servers:
            server.start()
            self.stack.callback(server.kill)
        with redis_client.Redis(port=self.servers[1].port) as second:
            second.replicaof("127.0.0.1", self.servers[0].port)
        sentinel = subprocess.Popen([program, str(self.settings), "--sentinel"])
        self.stack.callback(sentinel.wait)
        self.stack.callback(sentinel.kill)

    def replicas(self) -> int:
        """How many it knows of that could take over."""
        try:
            with redis_client.Redis(port=self.port, decode_responses=True) as client:
                return sum(
                    replica["flags"] == "slave" and replica["master-link-status"] == "ok"
                    for replica in client.sentinel_slaves(SERVICE)
                )
        except redis_client.ConnectionError:
            return 0

    def master_port(self) -> int:
        with redis_client.Redis(port=self.port, decode_responses=True) as client:
            return int(client.sentinel_get_master_addr_by_name(SERVICE)[1])


@pytest.fixture
def watched(program: str, tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(program, tmp_path)
    with watched.stack:
        watched.start(program)
        yield watched


async def test_what_a_sentinel_puts_in_its_place_is_found(
    api: Api, key: str, watched: Watched, settings: Settings
) -> None:
    await eventually(lambda: watched.replicas() == 1, within_s=60)
    spread_over(settings, watched.url)
    conversation = await api.start()

    async with Socket(f"/api/stream/conversations/{conversation}", key=key) as socket:
        await socket.frame()
        await api.say(conversation, "before")
        assert (await socket.frame())["data"]["message"]["content"] == "before"

        watched.servers[0].kill()
        await eventually(lambda: watched.master_port() == watched.servers[1].port, within_s=60)
        settings.STREAM_PULSE_S = 1
        await api.say(conversation, "meanwhile")
        assert (await socket.frame(within_s=60))["data"]["message"]["content"] == "meanwhile"

    def heard_by_the_other() -> int:
        with redis_client.Redis(port=watched.servers[1].port) as client:
            stats = client.info("commandstats")
            return int(stats.get("cmdstat_publish", {}).get("calls", 0))

    async def is_rung_there() -> bool:
        await api.say(conversation, "after")
        return heard_by_the_other() > 0

    await eventually(is_rung_there, within_s=60)
