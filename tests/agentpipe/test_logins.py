"""Passwords cannot be guessed in a row, and what is promised of pages is on them."""

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.agentpipe.knocking import knock
from tests.clients import Api

SECURITY = Path(__file__).parents[2] / "docs/security.md"


@pytest.fixture
def ada(transactional_db: None, settings: Settings) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.LOGIN_RATE = "3/60"
    User.objects.create_user("eve", password="apple")
    return User.objects.create_user("ada", password="tower")


def tries(name: str, password: str, target: str = "/login") -> bool:
    answer = Client().post(target, {"username": name, "password": password})
    return answer.status_code == 302


@pytest.mark.usefixtures("ada")
def test_after_some_wrong_passwords_the_right_one_does_not_open_either() -> None:
    assert tries("ada", "tower")
    assert not any([tries("ada", "bridge"), tries("Ada", "river", "/admin/login/")])

    assert not tries("ada", "tower")
    assert tries("eve", "apple")


@pytest.mark.usefixtures("ada")
def test_a_rate_of_0_counts_nothing(settings: Settings) -> None:
    settings.LOGIN_RATE = "0"

    assert not any(tries("ada", "bridge") for _ in range(5))
    assert tries("ada", "tower")


@pytest.mark.parametrize("target", ["/login", "/api/ingest", "/healthz"])
async def test_the_headers_that_are_promised_are_on_every_answer(target: str, api: Api) -> None:
    promised = dict(re.findall(r"^\| `([\w-]+)` \| `([^`]+)`", SECURITY.read_text(), re.MULTILINE))
    answer = await knock(target)

    assert len(promised) >= 5
    for name, value in promised.items():
        assert sorted(answer.headers[name.lower()].split("; ")) == value.split("; ")
