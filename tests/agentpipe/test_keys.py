"""Keys: how they are made, what they open, how they end."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django import Settings

from conversations.models import ApiKey, Project
from conversations.services import make_key
from tests.agentpipe.knocking import knock, knock_socket
from tests.clients import Api, Socket, started

MISSING = (401, "Missing Authorization header")
MALFORMED = (401, "Invalid Authorization format. Expected: Bearer <token>")
INVALID = (401, "Invalid API key")


def createkey(*arguments: str) -> str:
    said = StringIO()
    call_command("createkey", *arguments, stdout=said)
    return said.getvalue()


async def answer_to(**who: Any) -> tuple[int, str | None]:
    heard = await knock("/api/conversations", **who)
    return heard.status, heard.json().get("error")


# Made


def test_createkey_prints_the_key_and_nothing_else(transactional_db: None) -> None:
    said = createkey("laptop", "--project", "tower")

    secret = said.removesuffix("\n")
    assert secret.startswith("ap_")
    assert len(secret.split()) == 1
    key = ApiKey.objects.get()
    assert (key.name, key.project.slug) == ("laptop", "tower")
    assert set(key.scopes) == {"ingest", "read", "write", "run"}


def test_createkey_takes_a_project_that_is_there(project: Project) -> None:
    createkey("laptop", "--project", "tower")
    createkey("desktop", "--project", "tower")

    assert ApiKey.objects.filter(project=project).count() == 2
    assert Project.objects.count() == 1


def test_createkey_takes_scopes_and_rates(transactional_db: None) -> None:
    createkey("laptop", "--scopes", "ingest, read", "--rate", "streams=0", "--rate", "ingest=5/10")

    key = ApiKey.objects.get()
    assert key.project.slug == "default"
    assert key.scopes == ["ingest", "read"]
    assert key.rates == {"streams": "0", "ingest": "5/10"}


@pytest.mark.parametrize(
    "options",
    [
        ("--scopes", "ingest,raed"),
        ("--scopes", " , "),
        ("--rate", "streems=0"),
        ("--rate", "streams"),
        ("--rate", "streams=lots"),
        ("--rate", "streams=0/60"),
        ("--rate", "streams=100/0"),
        ("--rate", "streams=100/60\n"),
        ("--project", "not a slug"),
        ("--project", "x" * 101),
        ("--project", ""),
    ],
)
def test_createkey_refuses_what_it_does_not_know_and_makes_nothing(
    options: tuple[str, str], transactional_db: None
) -> None:
    with pytest.raises(CommandError, match=r"[a-z ]+.*\.$"):
        createkey("laptop", *options)

    assert not ApiKey.objects.exists()
    assert not Project.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\0b"])
def test_createkey_refuses_a_name_that_cannot_be_kept(name: str, transactional_db: None) -> None:
    with pytest.raises(CommandError, match=r"name.*\.$"):
        createkey(name)

    assert not ApiKey.objects.exists()


def test_of_a_key_only_a_digest_is_kept(project: Project) -> None:
    made, secret = make_key(project, "laptop")

    row = ApiKey.objects.filter(pk=made.pk).values().get()
    assert secret not in repr(row)
    assert secret.removeprefix("ap_") not in repr(row)
    assert secret.startswith(row["hint"])
    assert len(row["hint"]) < len(secret) / 4


# What they open


async def test_every_wrong_header_is_told_what_is_wrong_with_it(api: Api, key: str) -> None:
    async def with_header(value: str) -> tuple[int, str | None]:
        return await answer_to(headers={"authorization": value})

    assert await answer_to() == MISSING
    malformed = ["", "Bearer", "Bearer ", f"bearer {key}", f"Basic {key}", key, f" Bearer {key}"]
    assert {value: await with_header(value) for value in malformed} == dict.fromkeys(
        malformed, MALFORMED
    )
    wrong = [f"Bearer {key}x", f"Bearer  {key}", f"Bearer {key[:-1]}", "Bearer ü\udcff", "Bearer x"]
    assert {value: await with_header(value) for value in wrong} == dict.fromkeys(wrong, INVALID)
    assert await with_header(f"Bearer {key}") == (200, None)


async def test_a_401_says_what_is_wanted(api: Api) -> None:
    assert (await knock("/api/conversations")).headers["www-authenticate"] == "Bearer"


async def test_with_no_key_anywhere_the_server_says_that_it_is_not_configured(
    transactional_db: None, settings: Settings
) -> None:
    assert await answer_to(key="ap_x") == (500, "Server configuration error")
    assert await answer_to() == MISSING

    settings.BRIDGE_API_KEY = "of-the-environment"
    assert await answer_to(key="ap_x") == INVALID


async def test_where_all_keys_are_revoked_a_wrong_one_is_just_wrong(api: Api, key: str) -> None:
    await ApiKey.objects.aupdate(revoked_at=timezone.now())

    assert await answer_to(key="ap_x") == INVALID


async def test_a_revoked_key_opens_nothing_from_then_on(api: Api, key: str) -> None:
    assert await answer_to(key=key) == (200, None)

    await ApiKey.objects.aupdate(revoked_at=timezone.now())

    assert await answer_to(key=key) == INVALID
    assert await knock_socket("/api/stream", key=key) == 4401


async def test_the_key_of_the_environment_opens_the_default_project_wholly(
    api: Api, settings: Settings
) -> None:
    settings.BRIDGE_API_KEY = "of-the-environment"

    async with Api("of-the-environment") as bridge:
        conversation = await bridge.start()
        assert (await bridge.conversation(conversation))["projectId"] == "default"
    frame = await knock_socket("/api/stream/projects/default", key="of-the-environment")
    assert isinstance(frame, dict)
    assert frame["type"] == "connected"
    assert await answer_to(key="of-the-environmenT") == INVALID


SCOPED = [
    ("ingest", "POST", "/api/ingest"),
    ("ingest", "POST", "/api/ingest/batch"),
    ("read", "GET", "/api/conversations"),
    ("read", "GET", "/api/realtime/stream"),
    ("read", "GET", "/api/realtime/stats"),
    ("read", "GET", "/metrics"),
    ("read", "POST", "/api/stream-tokens"),
]


@pytest.mark.parametrize(("scope", "method", "target"), SCOPED)
async def test_a_key_without_the_scope_is_refused(
    scope: str, method: str, target: str, api: Api, project: Project
) -> None:
    others = [name for name in ("ingest", "read", "write", "run") if name != scope]
    _, secret = await database_sync_to_async(make_key)(project, "narrow", scopes=others)

    heard = await knock(target, method=method, key=secret, body=b"{}")

    assert heard.status == 403
    assert f"the scope {scope}," in heard.error


async def test_a_key_that_may_only_deliver_delivers_and_follows_nothing(
    api: Api, project: Project
) -> None:
    _, secret = await database_sync_to_async(make_key)(project, "cli", scopes=["ingest"])

    async with Api(secret) as cli:
        assert (await cli.ingest("conversation.started", started("c-1"))).status_code == 201
    for path in ("/api/stream", "/api/stream/projects/tower", "/api/stream/conversations/c-1"):
        assert await knock_socket(path, key=secret) == 4403


async def test_the_use_of_a_key_is_noted_once_a_minute(api: Api, key: str) -> None:
    async def last_use() -> Any:
        return (await ApiKey.objects.aget()).last_used_at

    assert await last_use() is None
    await knock("/api/conversations", key="ap_wrong")
    assert await last_use() is None

    await knock("/api/conversations", key=key)
    first = await last_use()
    assert timezone.now() - first < timedelta(minutes=1)
    await knock("/api/conversations", key=key)
    assert await last_use() == first

    await ApiKey.objects.aupdate(last_used_at=first - timedelta(hours=1))
    await knock("/api/conversations", key=key)
    assert await last_use() > first


# On sockets


async def test_a_socket_takes_the_key_as_a_subprotocol(api: Api, key: str) -> None:
    offers = {
        f"agentpipe.key.{key}": [f"agentpipe.key.{key}"],
        "agentpipe": ["agentpipe", f"agentpipe.key.{key}"],
    }
    for picked, offered in offers.items():
        for offer in (offered, offered[::-1]):
            async with Socket("/api/stream/projects/tower", subprotocols=offer) as socket:
                assert socket.subprotocol == picked
                assert (await socket.frame())["type"] == "connected"


@pytest.mark.parametrize("offered", [["agentpipe"], ["agentpipe.key."], ["agentpipe.key.wrong"]])
async def test_a_socket_whose_subprotocol_is_no_key_is_told_so(
    offered: list[str], api: Api
) -> None:
    assert await knock_socket("/api/stream", subprotocols=offered) == 4401


async def test_a_header_wins_over_a_subprotocol(api: Api, key: str) -> None:
    offered = [f"agentpipe.key.{key}"]
    assert await knock_socket("/api/stream", key="wrong", subprotocols=offered) == 4401
