"""Every door and every socket, tried by those who may not pass. A new one is found by itself."""

import json
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agentpipe import routing
from conversations.models import Project
from conversations.services import make_key
from tests.agentpipe.knocking import Heard, knock, signed_in, urlconf_with
from tests.agentpipe.marked import (
    AGENT,
    CHAT,
    CONVERSATION,
    JOB,
    MARK,
    OF_THE_PROJECT,
    QUESTION,
    RUN,
    WORKFLOW,
    WORKFLOW_RUN,
    fill_project,
)
from tests.agentpipe.walking import (
    Door,
    Sockets,
    doors,
    is_blind,
    is_of_the_admin,
    is_refusal,
    sockets_open_to,
    tried,
)
from tests.clients import Api


@pytest.fixture(autouse=True)
async def _full_project(api: Api, settings: Settings) -> None:
    settings.STREAM_HEARTBEAT_S = 0.05
    await fill_project(api)


@pytest.fixture
def revoked_key(project: Project) -> str:
    key, secret = make_key(project, "revoked")
    key.revoked_at = timezone.now()
    key.save()
    return secret


@pytest.fixture
def other_key(transactional_db: None) -> str:
    unlimited = dict.fromkeys(["ingest", "bridge", "upload", "streams", "messages"], "0")
    other = Project.objects.create(slug="bridge-over-the-river")
    return make_key(other, "other", rates=unlimited)[1]


async def caller_as(who: str, stranger: User, other_key: str) -> dict[str, Any]:
    if who == "other key":
        return {"key": other_key}
    return {"headers": await database_sync_to_async(signed_in)(stranger)}


def uncounted(heard: Heard) -> tuple[int, dict[str, str], bytes]:
    """Without what is another at each request: its name, and how often this caller has asked."""
    headers = {
        name: value
        for name, value in heard.headers.items()
        if name not in {"x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id"}
    }
    return heard.status, headers, heard.body


async def test_the_owner_passes_where_the_others_are_refused(key: str) -> None:
    """Without this, a door that answers nobody would look well locked."""
    heard = {
        door.route: await door.knock(key=key)
        for door in doors()
        if door.method == "GET" and any(thing in door.target for thing in OF_THE_PROJECT)
    }
    assert {"api/chats/<str:chat_id>", "api/messages/<str:message_id>/events"} <= heard.keys()
    assert {route: MARK.encode() in one.body for route, one in heard.items()} == dict.fromkeys(
        heard, True
    )


async def test_nobody_passes_any_door_that_is_not_open_on_purpose() -> None:
    complaints, closed = await tried(is_refusal)

    assert complaints == []
    assert {"api/ingest", "api/realtime/stream", "metrics", ""} <= {door.route for door in closed}


async def test_a_revoked_key_passes_no_door(revoked_key: str) -> None:
    assert (await tried(is_refusal, but=is_of_the_admin, key=revoked_key))[0] == []


async def test_a_wrong_key_passes_no_door() -> None:
    assert (await tried(is_refusal, but=is_of_the_admin, key="ap_made-up"))[0] == []


async def test_a_stranger_finds_nothing_of_the_project_behind_any_door(charlie: User) -> None:
    who = await database_sync_to_async(signed_in)(charlie)

    assert (await tried(is_blind, headers=who))[0] == []


async def test_a_key_of_another_project_finds_nothing_of_this_one(other_key: str) -> None:
    assert (await tried(is_blind, but=is_of_the_admin, key=other_key))[0] == []


@pytest.mark.parametrize("who", ["stranger", "other key"])
async def test_whoever_may_not_see_a_thing_cannot_tell_that_it_exists(
    who: str, charlie: User, other_key: str
) -> None:
    caller = await caller_as(who, charlie, other_key)
    no_such = {
        "tower": "no-such-project",
        CONVERSATION: str(uuid4()),
        JOB: "c" + "5" * 24,
        CHAT: str(uuid4()),
        QUESTION: "e" * 24,
        RUN: "f" * 24,
        AGENT: "nobody-at-work",
        WORKFLOW: "no-such-workflow",
        WORKFLOW_RUN: "9" * 24,
    }
    addresses = [
        *{
            door.target
            for door in doors()
            if door.is_api and door.method == "GET" and any(name in door.target for name in no_such)
        },
        *[
            f"api/realtime/stream?conversationId={CONVERSATION}",
            "api/realtime/stream?project=tower",
        ],
        *["api/conversations?project=tower", "?project=tower", "conversations?project=tower"],
        f"conversations/{CONVERSATION}",
    ]

    for address in addresses:
        missing = address
        for name, replacement in no_such.items():
            missing = missing.replace(name, replacement)
        target, _, query = address.partition("?")
        other_target, _, other_query = missing.partition("?")
        known = await knock(f"/{target}", query=query, **caller)
        unknown = await knock(f"/{other_target}", query=other_query, **caller)
        assert uncounted(known) == uncounted(unknown), address
        assert known.status == 404 or (who == "other key" and "project=tower" in address), address


@pytest.mark.parametrize("who", ["stranger", "other key"])
async def test_no_token_tells_that_a_stream_exists(who: str, charlie: User, other_key: str) -> None:
    caller = await caller_as(who, charlie, other_key)

    streams = {
        "project": "tower",
        "conversation": CONVERSATION,
        "message": QUESTION,
        "run": RUN,
        "workflow-run": WORKFLOW_RUN,
    }
    for kind, name in streams.items():
        door = Door("api/stream-tokens", "POST")
        known = await door.knock(body={"stream": f"{kind}:{name}"}, **caller)
        unknown = await door.knock(body={"stream": f"{kind}:no-such-thing"}, **caller)
        assert uncounted(known) == uncounted(unknown)
        assert known.status == 404


async def test_nobody_opens_a_socket() -> None:
    sockets = Sockets()

    heard = {name: await sockets.open(name) for name in sockets.paths()}

    assert len(heard) == len(routing.sockets)
    assert heard == dict.fromkeys(heard, (4401, None))


async def test_a_revoked_key_opens_no_socket(revoked_key: str) -> None:
    sockets = Sockets()

    heard = {name: await sockets.open(name, key=revoked_key) for name in sockets.paths()}

    assert heard == dict.fromkeys(heard, (4401, None))


@pytest.mark.parametrize("who", ["stranger", "other key"])
async def test_no_socket_leads_a_foreigner_to_the_project(
    who: str, charlie: User, other_key: str
) -> None:
    caller = await caller_as(who, charlie, other_key)

    assert await sockets_open_to(Sockets(), caller) == []


# Whether the walk would see it


class Unlocked(APIView):
    permission_classes = ()
    authentication_classes = ()
    throttle_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"found": MARK})


def _plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


class ScopeForgotten(APIView):
    def get(self, request: Request) -> Response:
        return Response({"found": MARK})


async def test_the_walk_finds_a_door_without_a_lock(settings: Settings) -> None:
    settings.ROOT_URLCONF = urlconf_with(
        path("api/projects/<str:project>/unlocked", Unlocked.as_view()),
        path("api/plain", _plain),
        path("page", _plain),
    )

    complaints, _ = await tried(is_refusal, but=is_of_the_admin)

    assert {complaint.partition(": ")[0] for complaint in complaints} == {
        *[f"{method} api/projects/<str:project>/unlocked" for method in ("GET", "HEAD", "OPTIONS")],
        *["GET api/plain", "POST api/plain", "GET page", "POST page"],
    }


async def test_a_door_that_names_no_scope_is_closed_to_all(key: str, settings: Settings) -> None:
    settings.ROOT_URLCONF = urlconf_with(path("api/forgotten", ScopeForgotten.as_view()))

    heard = await knock("/api/forgotten", key=key)

    assert heard.status == 403
    assert heard.error


async def test_the_walk_finds_a_socket_without_a_lock(other_key: str) -> None:
    class UnlockedSocket(AsyncWebsocketConsumer):
        channel_layer_alias = "none"

        async def connect(self) -> None:
            await self.accept()
            await self.send(json.dumps({"type": "connected"}))

        async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
            await self.send(json.dumps({"found": MARK}))

    unlocked = path("api/stream/projects/<str:project>/unlocked", UnlockedSocket.as_asgi())
    sockets = Sockets([unlocked, *routing.sockets])

    first, _ = await sockets.open("api/stream/projects/tower/unlocked")
    leading = await sockets_open_to(sockets, {"key": other_key})

    assert first != 4401
    assert leading == ["api/stream/projects/tower/unlocked"]
