"""Exports as a client gets them: whole, torn, and held up half-way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx

from agentpipe.asgi import application
from tests.clients import DEADLINE_S, Api, Json

FORMATS = ["json", "jsonl", "markdown", "html", "csv"]


class Torn(Exception):
    """The body broke off."""

    def __init__(self, heard: bytes) -> None:
        self.heard = heard


async def exported(api: Api, conversation: str, name: str) -> httpx.Response:
    answer = await api.get(f"/api/conversations/{conversation}/export", params={"format": name})
    assert answer.status_code == 200, answer.text
    return answer


@asynccontextmanager
async def heard_until(
    api: Api, conversation: str, name: str, *, pieces: int
) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """Take so many pieces of an export, and no more before the body of the block has run.

    Then the rest may come: what is given gets the whole, or raises Torn.
    """
    path = f"/api/conversations/{conversation}/export"
    async with held_up(api, path, f"format={name}", pieces=pieces) as rest:
        yield rest


@asynccontextmanager
async def held_up(
    api: Api, path: str, query: str, *, pieces: int
) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost:8000"), (b"authorization", f"Bearer {api.key}".encode())],
        "client": ("127.0.0.1", 50000),
        "server": ("localhost", 8000),
    }
    heard: list[bytes] = []
    is_whole = False
    is_held, may_go_on = asyncio.Event(), asyncio.Event()
    incoming: list[Json] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Json:
        if incoming:
            return incoming.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Json) -> None:
        nonlocal is_whole
        if message.get("body"):
            heard.append(message["body"])
        elif message["type"] == "http.response.body":
            is_whole = not message.get("more_body")
        if len(heard) == pieces:
            is_held.set()
            await may_go_on.wait()

    async def rest() -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            await task
        if not is_whole:
            raise Torn(b"".join(heard))
        return b"".join(heard)

    task = asyncio.create_task(application(scope, receive, send))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await is_held.wait()
        yield rest
    finally:
        may_go_on.set()
