"""Typed readers of the environment. A bad value stops the start with a sentence."""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from agentpipe.redis import hosts as redis_hosts

T = TypeVar("T")
# As Django compares them: without a port, all of them or of a domain, IPv6 in brackets.
HOST_NAME = re.compile(r"\*|\.?[\w-]+(\.[\w-]+)*|\[[0-9a-fA-F:.]+\]")


class BadSetting(Exception):
    """The server cannot start as it is configured; the message says what to do."""


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str) -> bool:
    known = {
        "": False,
        "0": False,
        "false": False,
        "no": False,
        "1": True,
        "true": True,
        "yes": True,
    }
    return _read(name, "", lambda value: known[value.lower()], "either 1 or 0")


def one_of(name: str, *known: str) -> str:
    """One of these words, of which the first is the default."""

    def parse(value: str) -> str:
        if value.upper() not in known:
            raise ValueError
        return value.upper()

    return _read(name, known[0], parse, f"one of {', '.join(known)}")


def integer(name: str, default: int, *, least: int = 0, most: int = 2**31) -> int:
    def parse(value: str) -> int:
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return _read(name, str(default), parse, f"a whole number from {least} to {most}")


def hosts(name: str, default: str) -> list[str]:
    def parse(value: str) -> list[str]:
        found = _words(value)
        if not all(HOST_NAME.fullmatch(host) for host in found):
            raise ValueError
        return found

    wanted = "names such as team.example, without https:// and port, separated by commas"
    return _read(name, default, parse, wanted)


def url(name: str) -> str:
    def parse(value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError
        return value

    return _read(name, "", parse, "a URL such as https://models.example/v1")


def origins(name: str) -> list[str]:
    def parse(value: str) -> list[str]:
        found = _words(value)
        for origin in found:
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path:
                raise ValueError
        return found

    return _read(name, "", parse, "origins such as https://team.example, separated by commas")


def rate(name: str, default: str) -> str:
    def parse(value: str) -> str:
        if value != "0" and not re.fullmatch(r"[1-9]\d{0,8}/[1-9]\d{0,8}", value):
            raise ValueError
        return value

    return _read(
        name,
        default,
        parse,
        "a rate such as 100/60 (so many in so many seconds), or 0 for no limit",
    )


def database(name: str, fallback: Mapping[str, str]) -> dict[str, str]:
    """The parts of a PostgreSQL URL, or the fallback where none is set."""

    def parse(value: str) -> dict[str, str]:
        if not value:
            return dict(fallback)
        parts = urlsplit(value)
        if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
            raise ValueError
        return {
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "NAME": unquote(parts.path.strip("/")),
        }

    wanted = "a URL such as postgresql://user:password@host:5432/agentpipe"
    return _read(name, "", parse, wanted, is_secret=True)


def redis(name: str) -> str:
    def parse(value: str) -> str:
        if value:
            redis_hosts(value)
        return value

    return _read(
        name,
        "",
        parse,
        "a URL such as redis://host:6379/0, several of them separated by commas, "
        "redis+sentinel://host:26379,host:26379/service or redis+cluster://host:6379,host:6379",
        is_secret=True,
    )


def kept_secret(path: Path, *, random_bytes: int = 48) -> str:
    """The secret in this file; made on first use, readable by its owner only."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(random_bytes))
            draft.replace(path)
        return path.read_text().strip()
    except OSError as error:
        reason = error.strerror or error
        raise BadSetting(
            f"the data directory {path.parent} cannot be used ({reason}). "
            "Make it writable or set AGENTPIPE_DATA_DIR to another folder."
        ) from error


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def _read(
    name: str, default: str, parse: Callable[[str], T], wanted: str, *, is_secret: bool = False
) -> T:
    value = text(name, default)
    try:
        return parse(value)
    except (ValueError, KeyError) as error:
        # What cannot be read may hold a password anywhere.
        found = "" if is_secret else f"is {value!r}, but "
        raise BadSetting(f"{name} {found}must be {wanted}.") from error
