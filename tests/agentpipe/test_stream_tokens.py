"""Stream tokens: a leave to read one stream, for a while, for those who cannot send headers."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.core import signing
from django.utils import timezone
from pytest_django import Settings

from conversations.models import ApiKey, Membership, Project
from conversations.services import make_key
from tests.agentpipe.knocking import Heard, knock, knock_socket, signed_in
from tests.clients import Api, Socket, sse

INVALID = "The stream token is not valid, or no longer"


async def ask(stream: object, **who: Any) -> Heard:
    headers = {"content-type": "application/json", **who.pop("headers", {})}
    body = json.dumps({"stream": stream}).encode()
    return await knock("/api/stream-tokens", method="POST", headers=headers, body=body, **who)


async def token_for(stream: str, **who: Any) -> str:
    heard = await ask(stream, **who)
    assert heard.status == 201, heard.body
    return str(heard.json()["token"])


async def status_with(token: str, target: str = "/api/realtime/stream", query: str = "") -> int:
    heard = await knock(target, query=f"{query}&token={token}", pieces=1)
    return heard.status


async def test_a_token_opens_its_stream_without_a_header(api: Api, key: str) -> None:
    conversation = await api.start()
    token = await token_for(f"conversation:{conversation}", key=key)

    async with sse("/api/realtime/stream", conversationId=conversation, token=token) as stream:
        assert (await stream.frame())["type"] == "connected"
        await api.say(conversation, "Stone")
        assert (await stream.frame())["type"] == "message.created"


async def test_a_token_says_until_when(api: Api, key: str) -> None:
    until = datetime.fromisoformat((await ask("project:tower", key=key)).json()["expiresAt"])

    assert abs(timezone.now() + timedelta(minutes=10) - until) < timedelta(seconds=5)


async def test_a_token_opens_no_other_stream(api: Api, key: str) -> None:
    mine, other = await api.start(), await api.start()
    token = await token_for(f"conversation:{mine}", key=key)

    assert await status_with(token, query=f"conversationId={other}") == 404
    assert await status_with(token) == 404
    assert await knock_socket(f"/api/stream/conversations/{other}?token={token}") == 4404
    assert await knock_socket(f"/api/stream/projects/tower?token={token}") == 4404
    async with Socket(f"/api/stream?token={token}") as many:
        await many.frame()
        for stream, told in ((other, "error"), (mine, "subscribed")):
            await many.send_json_to({"action": "subscribe", "stream": f"conversation:{stream}"})
            assert (await many.frame())["type"] == told


async def test_a_project_token_opens_no_conversation_of_the_project(api: Api, key: str) -> None:
    conversation = await api.start()
    token = await token_for("project:tower", key=key)

    assert await status_with(token) == 200
    assert await status_with(token, query=f"conversationId={conversation}") == 404


async def test_a_token_only_reads_streams(api: Api, key: str) -> None:
    conversation = await api.start()
    token = await token_for("project:tower", key=key)

    for target in (
        "/api/conversations",
        f"/api/conversations/{conversation}",
        "/metrics",
        "/api/realtime/stats",
    ):
        assert await status_with(token, target) == 401
    for target in ("/api/ingest", "/api/stream-tokens"):
        assert (await knock(target, method="POST", query=f"token={token}")).status == 401
    assert (await knock("/", query=f"token={token}")).status == 302
    assert (await knock("/api/conversations", key=token)).status == 401


async def test_a_token_expires(api: Api, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await token_for("project:tower", key=key)
    later = timezone.now() + timedelta(minutes=10, seconds=1)
    monkeypatch.setattr("django.core.signing.time.time", later.timestamp)

    heard = await knock("/api/realtime/stream", query=f"token={token}")

    assert (heard.status, heard.error) == (401, INVALID)
    assert await knock_socket(f"/api/stream/projects/tower?token={token}") == 4401


async def test_an_open_stream_outlives_its_token(
    api: Api, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is looked at when a stream is opened."""
    token = await token_for("project:tower", key=key)
    async with Socket(f"/api/stream/projects/tower?token={token}") as socket:
        await socket.frame()
        later = timezone.now() + timedelta(minutes=11)
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr("django.core.signing.time.time", later.timestamp)
            assert await knock_socket(f"/api/stream/projects/tower?token={token}") == 4401
        await api.start()
        assert (await socket.frame())["type"] == "conversation.started"


async def test_nobody_can_make_up_a_token(api: Api, key: str, settings: Settings) -> None:
    token = await token_for("project:tower", key=key)
    claims, stamp, signature = token.split(":")
    made_up = [
        *["", "x", "x:y:z", "%00", "%ff%fe", "%ed%a0%80", "x" * 5000, token[:-1], f"{token}x"],
        f"{claims[:-1]}A:{stamp}:{signature}",
        f"{claims}:{stamp}x:{signature}",
        signing.dumps({"topic": "project:1"}, salt="another"),
        signing.dumps({"topic": "project:1"}, key="another", salt="agentpipe.stream"),
    ]
    for other in made_up:
        assert await status_with(other) == 401, other
        assert await knock_socket(f"/api/stream/projects/tower?token={other}") == 4401, other


@pytest.mark.parametrize("ending", ["revoked", "no longer reads", "deleted"])
async def test_a_token_ends_with_its_key(ending: str, api: Api, key: str) -> None:
    token = await token_for("project:tower", key=key)
    assert await status_with(token) == 200

    keys = ApiKey.objects.all()
    if ending == "revoked":
        await keys.aupdate(revoked_at=timezone.now())
    elif ending == "no longer reads":
        await keys.aupdate(scopes=["ingest"])
    else:
        await keys.adelete()

    assert await status_with(token) == 401


async def test_a_token_ends_with_its_users_membership(api: Api, bob: User) -> None:
    headers = await database_sync_to_async(signed_in)(bob)
    token = await token_for("project:tower", headers=headers)
    assert await status_with(token) == 200

    await Membership.objects.filter(user=bob).adelete()
    assert await status_with(token) == 404

    await User.objects.filter(pk=bob.pk).aupdate(is_active=False)
    assert await status_with(token) == 401


async def test_a_token_is_counted_as_whoever_asked_for_it(api: Api, project: Project) -> None:
    make = database_sync_to_async(make_key)
    _, secret = await make(project, "few", rates={"streams": "1/60"})
    token = await token_for("project:tower", key=secret)

    assert await status_with(token) == 200
    assert await status_with(token) == 429


async def test_a_token_for_what_one_may_not_see_is_not_to_be_had(api: Api, key: str) -> None:
    for stream in (
        "project:default",
        f"conversation:{uuid4()}",
        "nothing:1",
        "project:",
        "project",
    ):
        assert (await ask(stream, key=key)).status == 404


@pytest.mark.parametrize("stream", [None, [], {}, "", " ", "x" * 301, True])
async def test_a_stream_that_is_none_is_a_bad_request(stream: object, api: Api, key: str) -> None:
    heard = await ask(stream, key=key)

    assert (heard.status, heard.json()["field"]) == (400, "stream")
