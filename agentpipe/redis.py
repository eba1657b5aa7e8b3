"""What REDIS_URL may be: one server, several that share the topics, a watched one, or a cluster."""

from typing import Any
from urllib.parse import unquote, urlsplit

SENTINEL = "redis+sentinel"
CLUSTER = "redis+cluster"
SENTINEL_PORT = 26379
SERVERS = {"redis", "rediss", "unix"}
PATIENCE = {"socket_connect_timeout": 2, "health_check_interval": 15}


def hosts(url: str) -> list[dict[str, Any]]:
    """As the channel layer wants them. Raises ValueError for what is no such URL."""
    if is_watched(url):
        return [_watched(url)]
    if is_cluster(url):
        return _nodes(url)
    addresses = [part.strip() for part in url.split(",")]
    if any(urlsplit(address).scheme not in SERVERS for address in addresses):
        raise ValueError
    return [{"address": address, **PATIENCE} for address in addresses]


def is_watched(url: str) -> bool:
    return urlsplit(url).scheme == SENTINEL


def is_cluster(url: str) -> bool:
    return urlsplit(url).scheme == CLUSTER


def first(url: str) -> str:
    """The server for what is not spread over several."""
    return url.partition(",")[0].strip()


def _watched(url: str) -> dict[str, Any]:
    """redis+sentinel://user:password@host:26379,host:26379/service"""
    parts = urlsplit(url)
    who, _, where = parts.netloc.rpartition("@")
    user, _, password = map(unquote, who.partition(":"))
    login = {name: text for name, text in (("username", user), ("password", password)) if text}
    sentinels = [_place(place) for place in where.split(",")]
    service = parts.path.strip("/")
    if not service or "/" in service or not all(host for host, _ in sentinels):
        raise ValueError
    return {
        "sentinels": sentinels,
        "master_name": service,
        # Those who watch are asked with the same name and password.
        "sentinel_kwargs": {**login, "socket_connect_timeout": PATIENCE["socket_connect_timeout"]},
        **login,
        **PATIENCE,
    }


def _nodes(url: str) -> list[dict[str, Any]]:
    """redis+cluster://user:password@host:6379,host:6379"""
    parts = urlsplit(url)
    who, at, where = parts.netloc.rpartition("@")
    nodes = where.split(",")
    places = [urlsplit(f"//{node}") for node in nodes]
    if parts.path or not all(place.hostname and place.port for place in places):
        raise ValueError
    # Word that is given to one node is heard at all of them.
    return [{"address": f"redis://{who}{at}{node}", **PATIENCE} for node in nodes]


def _place(written: str) -> tuple[str, int]:
    host, colon, port = written.rpartition(":")
    return (host, int(port)) if colon else (written, SENTINEL_PORT)
