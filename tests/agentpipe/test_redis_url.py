"""What REDIS_URL may say."""

import pytest

from agentpipe import env
from agentpipe.redis import hosts


@pytest.mark.parametrize(
    "url", ["redis://cache:6379/0", "rediss://user:secret@cache", "unix:///run/redis.sock"]
)
def test_one_server(url: str) -> None:
    assert [host["address"] for host in hosts(url)] == [url]


def test_several_share_the_topics() -> None:
    found = hosts("redis://one:6379/0, redis://two:6379/0")

    assert [host["address"] for host in found] == ["redis://one:6379/0", "redis://two:6379/0"]


def test_one_that_is_watched() -> None:
    [host] = hosts("redis+sentinel://ada:se%40cret@one:26000,two/tower")

    assert host["sentinels"] == [("one", 26000), ("two", 26379)]
    assert host["master_name"] == "tower"
    assert (host["username"], host["password"]) == ("ada", "se@cret")
    assert host["sentinel_kwargs"]["password"] == "se@cret"


def test_a_cluster_is_named_by_its_nodes() -> None:
    found = hosts("redis+cluster://ada:se%40cret@one:6379,two:6380")

    assert [host["address"] for host in found] == [
        "redis://ada:se%40cret@one:6379",
        "redis://ada:se%40cret@two:6380",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://cache",
        "cache:6379",
        "redis://one,http://two",
        "redis+sentinel://one",
        "redis+sentinel:///tower",
        "redis+sentinel://one:port/tower",
        "redis+sentinel://one/tower/0",
        "redis+cluster://one:port",
        "redis+cluster://:6379",
        "redis+cluster://one",
        "redis+cluster://one:6379/0",
    ],
)
def test_anything_else_stops_the_start_with_a_sentence(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", url)

    with pytest.raises(env.BadSetting, match="REDIS_URL must be a URL such as redis://"):
        env.redis("REDIS_URL")
