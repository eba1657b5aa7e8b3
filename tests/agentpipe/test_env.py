"""What the environment says is believed or refused with a sentence."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from agentpipe import env

Reader = Callable[[], Any]
NAME = "A_SETTING"
hosts: Reader = partial(env.hosts, NAME, "localhost")
url: Reader = partial(env.url, NAME)
level: Reader = partial(env.one_of, NAME, "INFO", "DEBUG")
database: Reader = partial(env.database, NAME, fallback={})
redis: Reader = partial(env.redis, NAME)


@pytest.mark.parametrize(
    ("read", "value", "wanted"),
    [
        (hosts, "https://team.example", "without https:// and port"),
        (hosts, "team.example:8000", "without https:// and port"),
        (hosts, "team.example,two words", "without https:// and port"),
        (url, "models.example/v1", "https://models.example/v1"),
        (level, "LOUD", "one of INFO, DEBUG"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(
    read: Reader, value: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, value)

    with pytest.raises(env.BadSetting) as refused:
        read()

    assert str(refused.value).startswith(f"{NAME} is '{value}', but must be ")
    assert wanted in str(refused.value)


@pytest.mark.parametrize(
    ("read", "value", "understood"),
    [
        (hosts, "team.example, .teams.example", ["team.example", ".teams.example"]),
        (hosts, "[::1],10.0.0.1,*", ["[::1]", "10.0.0.1", "*"]),
        (hosts, "", ["localhost"]),
        (url, "http://localhost:11434/v1", "http://localhost:11434/v1"),
        (url, "", ""),
        (level, "debug", "DEBUG"),
        (level, "", "INFO"),
    ],
)
def test_what_makes_sense_is_believed(
    read: Reader, value: str, understood: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, value)

    assert read() == understood


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (database, "postgresql://me:swordfish@host:port/agentpipe"),
        (database, "me:swordfish@host/agentpipe"),
        (redis, "http://:swordfish@host"),
    ],
)
def test_what_cannot_be_read_is_not_said_where_it_may_hold_a_password(
    read: Reader, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, value)

    with pytest.raises(env.BadSetting) as refused:
        read()

    assert str(refused.value).startswith(f"{NAME} must be a URL such as ")
    assert "swordfish" not in str(refused.value)
