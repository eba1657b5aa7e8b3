"""Which scope each door of agents wants: a key short of it is refused, one of only it is not."""

import json

from channels.db import database_sync_to_async
from rest_framework.views import APIView

from agents.urls import urlpatterns
from conversations.models import Project, Scope
from conversations.services import make_key
from tests.agentpipe.knocking import Heard, knock
from tests.agents.chatting import Chatting, token_of
from tests.clients import Api

MESSAGE = "api/chats/<str:chat_id>/messages/<str:message_id>"
PROJECT = "api/projects/<str:project>"
RUN = f"{PROJECT}/runs/<str:run>"
WANTED = {
    ("GET", "api/agents"): "read",
    ("GET", "api/users/<str:user_id>"): "read",
    ("GET", "api/users/<str:user_id>/chats"): "read",
    ("POST", "api/users/<str:user_id>/chats"): "write",
    ("GET", "api/chats/<str:chat_id>"): "read",
    ("PATCH", "api/chats/<str:chat_id>"): "write",
    ("DELETE", "api/chats/<str:chat_id>"): "write",
    ("GET", "api/chats/<str:chat_id>/messages"): "read",
    ("POST", "api/chats/<str:chat_id>/messages"): "run",
    ("GET", f"{MESSAGE}/stream"): "read",
    ("POST", f"{MESSAGE}/cancel"): "run",
    ("POST", f"{MESSAGE}/retry"): "run",
    ("GET", "api/messages/<str:message_id>/events"): "read",
    ("GET", "api/projects/<str:project>/runs"): "read",
    ("POST", "api/projects/<str:project>/runs"): "run",
    ("GET", RUN): "read",
    ("POST", f"{RUN}/cancel"): "run",
    ("POST", f"{RUN}/resume"): "run",
    ("GET", f"{RUN}/events"): "read",
    ("POST", "api/command-center/message"): "run",
    ("GET", f"{PROJECT}/progress"): "read",
    ("GET", f"{PROJECT}/progress/history"): "read",
    ("GET", f"{PROJECT}/agents/<str:agent>/progress"): "read",
    ("PUT", f"{PROJECT}/agents/<str:agent>/progress"): "ingest",
    ("GET", f"{PROJECT}/agents/stream"): "read",
    ("GET", "api/sse/agent-stream"): "read",
}
# Whoever is let in there stays.
ENDLESS = {f"{PROJECT}/agents/stream", "api/sse/agent-stream"}
SCOPES = set(WANTED.values())
THINGS = {
    "<str:user_id>": "ada",
    "<str:chat_id>": "00000000-0000-0000-0000-000000000000",
    "<str:message_id>": "0" * 24,
    "<str:project>": "tower",
    "<str:run>": "0" * 24,
    "<str:agent>": "builder",
}


def doors() -> set[tuple[str, str]]:
    found = set()
    for pattern in urlpatterns:
        # Pages are for people, who have no scopes.
        if not str(pattern.pattern).startswith("api/"):
            continue
        view: type[APIView] = getattr(pattern.callback, "cls")  # noqa: B009 - not in the stubs
        for method in ("get", "post", "put", "patch", "delete"):
            if hasattr(view, method):
                found.add((method.upper(), str(pattern.pattern)))
    return found


async def knock_at(method: str, route: str, key: str) -> Heard:
    for parameter, thing in THINGS.items():
        route = route.replace(parameter, thing)
    headers = {"content-type": "application/json"}
    body = b"" if method == "GET" else json.dumps({}).encode()
    return await knock(f"/{route}", method=method, key=key, headers=headers, body=body)


async def key_with(project: Project, *scopes: str) -> str:
    _, secret = await database_sync_to_async(make_key)(project, "scoped", scopes=list(scopes))
    return str(secret)


def test_every_door_says_what_it_wants() -> None:
    assert doors() == WANTED.keys()


async def test_a_key_short_of_the_scope_is_refused(api: Api, project: Project) -> None:
    for scope in SCOPES:
        lacking = await key_with(project, *(set(Scope.values) - {scope}))
        for (method, route), wanted in WANTED.items():
            if wanted == scope:
                heard = await knock_at(method, route, lacking)
                assert heard.status == 403, (method, route)
                assert heard.error


async def test_a_key_with_just_that_scope_is_let_in(api: Api, project: Project) -> None:
    keys = {scope: await key_with(project, scope) for scope in SCOPES}
    for (method, route), wanted in WANTED.items():
        if route in ENDLESS:
            continue
        heard = await knock_at(method, route, keys[wanted])
        assert heard.status not in {401, 403}, (method, route)


async def test_the_token_of_an_answer_opens_none_of_the_other_doors(
    chatting: Chatting,
) -> None:
    asked = await chatting.ask(await chatting.open())
    for method, route in WANTED:
        if not route.endswith("stream"):
            for parameter, thing in (
                ("<str:chat_id>", asked["chat"]),
                ("<str:message_id>", asked["message_id"]),
                *THINGS.items(),
            ):
                route = route.replace(parameter, thing)
            heard = await knock(f"/{route}", method=method, query=f"token={token_of(asked)}")
            assert heard.status == 401, (method, route)


async def test_whoever_only_looks_is_answered_alike_and_shown_nothing(
    chatting: Chatting, key: str
) -> None:
    asked = await chatting.ask(await chatting.open())
    path = f"/api/chats/{asked['chat']}/messages"
    for target in ("/api/agents", "/api/users/ada", "/api/users/ada/chats", path):
        get, head = [await knock(target, method=method, key=key) for method in ("GET", "HEAD")]
        assert (head.status, head.headers["content-type"]) == (200, get.headers["content-type"])
        options = await knock(target, method="OPTIONS", key=key)
        assert (options.status, options.is_json) == (200, True)
        assert "GET" in options.headers["allow"]
    stream = await knock(f"{path}/{asked['message_id']}/stream", method="HEAD", key=key)
    assert stream.status == 405
