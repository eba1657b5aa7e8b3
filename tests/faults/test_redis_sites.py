"""More than one Redis: topics spread over several, and one that takes over where another dies."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client
from pytest_django.fixtures import Settings

from agentpipe import redis
from agentpipe.api import throttling
from agentpipe_client import AsyncAgentPipe, Participant
from tests.clients import Api, Socket, eventually
from tests.servers import KEY, Running, Server, wait_for
from tests.services import GivenRedis, RedisServer, free_port

# So many that chance leaves no server without a topic.
CONVERSATIONS = 24
SERVICE = "tower"
SLOTS = 16384
LAST_PORT = 65535
# Where nodes talk to each other.
BUS_IS_FURTHER = 10_000

pytestmark = pytest.mark.processes


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


async def hear_of_many_topics(api: Api, key: str, settings: Settings) -> None:
    """What comes in time has come by the doorbell."""
    settings.STREAM_PULSE_S = 3600
    for _ in range(CONVERSATIONS):
        conversation = await api.start()
        async with Socket(f"/api/stream/conversations/{conversation}", key=key) as socket:
            await socket.frame()
            await api.say(conversation, "Hello")
            assert (await socket.frame())["type"] == "message.created"


async def test_several_share_the_topics(
    api: Api, key: str, both: list[RedisServer], settings: Settings
) -> None:
    spread_over(settings, ",".join(server.url for server in both))

    await hear_of_many_topics(api, key, settings)

    assert all(rung(server) for server in both)


class Cluster:
    """Two nodes, each with half of the keys."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.ports = [free_port_below(LAST_PORT - BUS_IS_FURTHER) for _ in range(2)]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in self.ports)
        self.stack = ExitStack()

    def start(self) -> None:
        for port in self.ports:
            settings = self.folder / f"{port}.conf"
            settings.write_text(
                f'port {port}\nbind 127.0.0.1\ndir {self.folder}\nsave ""\nlogfile {port}.log\n'
                f"cluster-enabled yes\ncluster-config-file {port}.nodes\n"
            )
            node = subprocess.Popen([self.program, str(settings)])
            self.stack.callback(node.wait)
            self.stack.callback(node.kill)
        wait_for(lambda: all(map(self.answers, self.ports)))
        for number, port in enumerate(self.ports):
            slots = range(number * SLOTS // 2, (number + 1) * SLOTS // 2)
            with redis_client.Redis(port=port) as node:
                node.execute_command("CLUSTER ADDSLOTS", *slots)
                node.execute_command("CLUSTER MEET", "127.0.0.1", self.ports[0])
        wait_for(lambda: all(map(self.is_whole, self.ports)))

    def answers(self, port: int) -> bool:
        try:
            with redis_client.Redis(port=port) as node:
                return bool(node.ping())
        except redis_client.RedisError:
            return False

    def is_whole(self, port: int) -> bool:
        with redis_client.Redis(port=port) as node:
            said = node.execute_command("CLUSTER INFO")
            return (said["cluster_state"], said["cluster_known_nodes"]) == ("ok", "2")

    def keys(self) -> list[int]:
        """How many each node holds."""
        found = []
        for port in self.ports:
            with redis_client.Redis(port=port) as node:
                found.append(int(node.dbsize()))
        return found


def free_port_below(most: int) -> int:
    while (port := free_port()) > most:
        pass
    return port


@pytest.fixture
def cluster(program: str, tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(program, tmp_path)
    with cluster.stack:
        cluster.start()
        yield cluster


async def test_a_cluster_carries_word_from_node_to_node_and_counts(
    api: Api, key: str, cluster: Cluster, settings: Settings
) -> None:
    spread_over(settings, cluster.url)

    await hear_of_many_topics(api, key, settings)

    try:
        for number in range(CONVERSATIONS):
            caller = throttling.rate_as("1/3600", "streams", f"caller {number}")
            assert caller
            assert [await asyncio.to_thread(caller.spend) for _ in range(2)] == [True, False]
        assert all(cluster.keys())
        assert sum(cluster.keys()) >= CONVERSATIONS
    finally:
        storage: Any = throttling._shared_limiter().storage
        storage.storage.close()
        throttling._shared_limiter.cache_clear()


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


@pytest.fixture
def server(watched: Watched, tmp_path: Path) -> Iterator[Running]:
    place = Server(is_local=True)
    variables = {"DATABASE_URL": place.database_url, "REDIS_URL": watched.url}
    running = Running(tmp_path / "web", **variables, AGENTPIPE_BRIDGE_API_KEY=KEY)
    try:
        running.await_ready()
        yield running
    finally:
        running.stop()
        place.discard()


async def test_what_a_sentinel_puts_in_its_place_is_found(
    watched: Watched, server: Running
) -> None:
    await eventually(lambda: watched.replicas() == 1, within_s=60)
    first, second = watched.servers
    async with (
        AsyncAgentPipe(server.url, KEY) as pipe,
        aclosing(pipe.follow_project("default", since="0")) as events,
    ):
        await begin(pipe)
        await anext(events)
        await eventually(lambda: rung(first) > 0, within_s=60)

        first.kill()
        await eventually(lambda: watched.master_port() == second.port, within_s=60)
        while not rung(second):
            await begin(pipe)
            await anext(events)


async def begin(pipe: AsyncAgentPipe) -> None:
    ada = Participant(agent_id="ada", agent_name="Ada", agent_type="claude")
    await pipe.start_conversation(mode="reactive", initial_prompt="Build", participants=[ada])


def rung(server: RedisServer) -> int:
    """How often the doorbell was rung there."""
    with redis_client.Redis(port=server.port) as client:
        stats = client.info("commandstats")
        return int(stats.get("cmdstat_publish", {}).get("calls", 0))
