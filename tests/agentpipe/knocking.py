"""Raw requests to the application: any path, any bytes, any sender; streams are heard and left."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern

from agentpipe import urls
from agentpipe.asgi import application
from tests.clients import DEADLINE_S, Json, Socket

CSRF_TOKEN = "c" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/json")

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        found = self.json()["error"]
        assert isinstance(found, str)
        return found


async def knock(
    target: str,
    *,
    method: str = "GET",
    query: str = "",
    key: str | None = None,
    headers: dict[str, str] | None = None,
    body: bytes | Sequence[bytes] = b"",
    client: str = "127.0.0.1",
    pieces: int = 3,
) -> Heard:
    """One request; a body in parts comes without a length, as a chunked one does.

    Of an event stream the first pieces are heard, then the sender goes away.
    """
    all_headers = {"host": "localhost:8000", **(headers or {})}
    if key is not None:
        all_headers["authorization"] = f"Bearer {key}"
    if isinstance(body, bytes):
        all_headers["content-length"] = str(len(body))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(target, errors="replace"),
        "raw_path": target.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            (name.encode(), value.encode("utf-8", "surrogateescape"))
            for name, value in all_headers.items()
        ],
        "client": (client, 50000),
        "server": ("localhost", 8000),
    }
    parts = [body] if isinstance(body, bytes) else list(body)
    incoming: list[Json] = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, 1)
    ]
    start: Json = {}
    heard: list[bytes] = []
    leaving = asyncio.Event()

    async def receive() -> Json:
        if incoming:
            return incoming.pop(0)
        await leaving.wait()
        return {"type": "http.disconnect"}

    async def send(message: Json) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message.get("body"):
            heard.append(message["body"])
        kinds = [value for name, value in start["headers"] if name.lower() == b"content-type"]
        if len(heard) >= pieces and kinds and b"event-stream" in kinds[0]:
            leaving.set()

    async with asyncio.timeout(DEADLINE_S):
        await application(scope, receive, send)
    return Heard(
        status=start["status"],
        headers={
            name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]
        },
        body=b"".join(heard),
    )


async def knock_socket(
    path: str,
    *,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    subprotocols: list[str] | None = None,
    client: str = "127.0.0.1",
) -> Json | int:
    """The first frame of a socket, or the code it was closed with."""
    socket = Socket(path, key=key, headers=headers, subprotocols=subprotocols)
    socket.scope["client"] = (client, 50000)
    async with socket:
        return await first_of(socket)


async def first_of(socket: Socket) -> Json | int:
    message = await socket.receive_output()
    if message["type"] == "websocket.close":
        return int(message["code"])
    frame: Json = json.loads(message["text"])
    return frame


def signed_in(user: User) -> dict[str, str]:
    """The headers of a browser in which this user has signed in; its pages may post, too."""
    browser = Client()
    browser.force_login(user)
    session = browser.cookies["sessionid"].value
    return {
        "cookie": f"sessionid={session}; csrftoken={CSRF_TOKEN}",
        "x-csrftoken": CSRF_TOKEN,
    }


def urlconf_with(*patterns: URLPattern) -> ModuleType:
    """A value for ROOT_URLCONF: the application's doors and these."""
    urlconf = ModuleType("urls_of_a_test")
    vars(urlconf).update(vars(urls))
    vars(urlconf)["urlpatterns"] = [*patterns, *urls.urlpatterns]
    return urlconf
