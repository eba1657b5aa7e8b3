"""Every door and every socket that there is: how it is tried, and what it may answer to whom."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from channels.routing import URLRouter
from django.urls import URLPattern, URLResolver, get_resolver

from agentpipe import routing
from agentpipe.api.authentication import SocketAuthentication
from tests.agentpipe.knocking import CSRF_TOKEN, Heard, first_of, knock
from tests.agentpipe.marked import ASK, CHAT, CONVERSATION, MARK, THINGS, WORKFLOW, held
from tests.clients import Socket, started

# What a body must say to get past the reading of it, and to the project.
BODIES: dict[str, Any] = {
    "api/ingest": {"type": "conversation.started", "data": started(str(uuid4()))},
    "api/ingest/batch": [{"type": "conversation.started", "data": started(str(uuid4()))}],
    "api/projects/<str:project>/keys": {"name": "Taken over"},
    "api/projects/<str:project>/members/<str:username>": {"role": "owner"},
    "api/stream-tokens": {"stream": f"conversation:{CONVERSATION}"},
    "api/chats/<str:chat_id>": {"title": "Taken over"},
    "api/chats/<str:chat_id>/messages": {"content": "Who is there?"},
    "api/projects/<str:project>/runs": {"prompt": "Who is there?"},
    "api/projects/<str:project>/workflows": {"name": "taken-over", "nodes": [ASK]},
    "api/projects/<str:project>/workflows/<str:workflow>": {"name": WORKFLOW, "nodes": [ASK]},
    "api/projects/<str:project>/workflow-runs/<str:workflow_run>/rerun": {"node": "ask"},
    "api/command-center/message": {
        "agentId": "default",
        "message": "Who is there?",
        "conversationId": CHAT,
    },
}
# Open on purpose.
OPEN = {
    "api/schema",
    "api/docs",
    "healthz",
    "readyz",
    "login",
    "logout",
    "admin/login/",
    "admin/logout/",
    "admin/jsi18n/",
}
SAFE = {"GET", "HEAD", "OPTIONS"}
A_FORM = {"cookie": f"csrftoken={CSRF_TOKEN}", "x-csrftoken": CSRF_TOKEN}


@dataclass(frozen=True, slots=True)
class Door:
    route: str
    method: str

    @property
    def target(self) -> str:
        return _filled(self.route)

    @property
    def is_api(self) -> bool:
        return self.route.startswith(("api/", "metrics"))

    async def knock(self, **who: Any) -> Heard:
        # With everything that a form would send: that a token is missing locks no door.
        headers = {"content-type": "application/json", **A_FORM, **who.pop("headers", {})}
        said = json.dumps(who.pop("body", BODIES.get(self.route, {}))).encode()
        body = b"" if self.method in SAFE else said
        return await knock(
            f"/{self.target}",
            method=self.method,
            query="since=0",
            headers=headers,
            body=body,
            **who,
        )


def doors(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[Door]:
    for entry in (resolver or get_resolver()).url_patterns:
        route = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLResolver):
            yield from doors(entry, route)
        else:
            # Written as regular expressions by the admin: ^(?P<app_label>auth|conversations)/$
            route = re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", route).replace("^", "").replace("$", "")
            for method in _methods(entry):
                yield Door(route, method)


@dataclass(slots=True)
class Sockets:
    """The sockets of a routing, as the application wires them."""

    routes: list[Any] = field(default_factory=lambda: routing.sockets)

    def paths(self) -> list[str]:
        return [_filled(str(route.pattern) or "api/no-such-socket") for route in self.routes]

    async def open(self, name: str, **who: Any) -> tuple[object, object]:
        """The first frame or close code; then, of a socket that takes commands, the next."""
        socket = Socket(f"/{name}?since=0", **who)
        socket.application = SocketAuthentication(URLRouter(self.routes))
        async with socket:
            first = await first_of(socket)
            if isinstance(first, int):
                return first, None
            await socket.send_json_to({"action": "subscribe", "stream": "project:tower"})
            return first, await first_of(socket)


Complaint = str


def is_refusal(door: Door, heard: Heard) -> bool:
    """Nobody is anybody: told to say who they are."""
    if door.is_api:
        return heard.status == 401
    login = ("/login?", "/admin/login/?")
    return heard.status == 302 and heard.headers["location"].startswith(login)


def is_blind(door: Door, heard: Heard) -> bool:
    """The project is not there, or the door is not for this caller, or there is nothing."""
    if not door.is_api and not door.route.startswith("admin/"):
        return heard.status in {200, 302, 400, 404}
    return heard.status < 400 or heard.status in {400, 401, 403, 404}


def is_of_the_admin(door: Door) -> bool:
    """One table's pages stand for the others' where a key is tried: no page reads any."""
    return door.route.startswith("admin/") and "/project/" not in door.route


async def tried(
    is_fine: Callable[[Door, Heard], bool],
    *,
    but: Callable[[Door], bool] = lambda door: False,
    **who: Any,
) -> tuple[list[Complaint], list[Door]]:
    """Try every closed door; say which answered wrongly or with something of the project."""
    complaints = []
    closed = [door for door in doors() if door.route not in OPEN and not but(door)]
    before = await held()
    for door in closed:
        heard = await door.knock(**who)
        if not is_fine(door, heard) or MARK.encode() in heard.body:
            complaints.append(f"{door.method} {door.route}: {heard.status} {heard.body[:200]!r}")
    if await held() != before:
        complaints.append("what the project holds was changed")
    return complaints, closed


async def sockets_open_to(sockets: Sockets, caller: dict[str, Any]) -> list[str]:
    leading = []
    for name in sockets.paths():
        first, second = await sockets.open(name, **caller)
        takes_commands = isinstance(first, dict) and first.get("lastEventId", "") is None
        if takes_commands:
            assert isinstance(second, dict)
            is_closed = second.get("code") == "no_such_stream"
        else:
            is_closed = first == 4404
        if not is_closed:
            leading.append(name)
    return leading


def _methods(pattern: URLPattern) -> list[str]:
    view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
    if view is None:
        return ["GET", "POST"]
    # Where GET is answered so is HEAD, unless the view leaves it out.
    names = [name for name in view.http_method_names if hasattr(view, name) or name == "head"]
    return [name.upper() for name in names if name != "head" or "get" in names]


def _filled(route: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: THINGS[found[1]], route).replace(r"\Z", "")
