"""How tests call the application: HTTP, server-sent events and sockets, all of it in process."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlencode
from uuid import uuid4

import httpx
from asgiref.testing import ApplicationCommunicator
from channels.testing import WebsocketCommunicator

from agentpipe.asgi import application

Json = dict[str, Any]
DEADLINE_S = 150.0
# asgiref has no types.
COMMUNICATOR: Any = ApplicationCommunicator
NOW = "2026-11-21T10:00:00Z"


async def eventually(
    is_so: Callable[[], Awaitable[bool] | bool], *, within_s: float = DEADLINE_S
) -> None:
    """Wait for a fact."""
    async with asyncio.timeout(within_s):
        while True:
            fact = is_so()
            if await fact if isinstance(fact, Awaitable) else fact:
                return
            await asyncio.sleep(0.01)


class Api(httpx.AsyncClient):
    def __init__(self, key: str | None = None, **options: Any) -> None:
        self.key = key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        super().__init__(
            transport=httpx.ASGITransport(application, raise_app_exceptions=False),
            base_url="http://localhost:8000",
            headers={**headers, **options.pop("headers", {})},
            **options,
        )

    async def ingest(self, kind: str, data: object, **envelope: Any) -> httpx.Response:
        return await self.post("/api/ingest", json={"type": kind, "data": data, **envelope})

    async def start(self, conversation_id: str | None = None, **data: Any) -> str:
        """A conversation of the snake_case dialect."""
        conversation_id = conversation_id or str(uuid4())
        answer = await self.ingest("conversation.started", started(conversation_id, **data))
        assert answer.status_code == 201, answer.text
        return conversation_id

    async def say(self, conversation_id: str, *contents: str, **data: Any) -> list[str]:
        ids = []
        for content in contents:
            message = said(conversation_id, content, **data)
            answer = await self.ingest("message.created", message)
            assert answer.status_code == 201, answer.text
            ids.append(answer.json()["message_id"])
        return ids

    async def conversation(self, conversation_id: str) -> Json:
        answer = await self.get(f"/api/conversations/{conversation_id}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def messages(self, conversation_id: str) -> list[Json]:
        answer = await self.get(f"/api/conversations/{conversation_id}/messages?page_size=100")
        items: list[Json] = answer.json()["items"]
        return items

    async def events(self, conversation_id: str) -> list[Json]:
        address = f"/api/conversations/{conversation_id}/events?page_size=100"
        items: list[Json] = (await self.get(address)).json()["items"]
        return items


def started(conversation_id: str, **data: Any) -> Json:
    return {
        "conversation_id": conversation_id,
        "mode": "round-robin",
        "initial_prompt": "Design a tower",
        "participants": [{"agent_id": "a-1", "agent_type": "claude", "name": "Ada"}],
        "system_info": {"os": "linux", "arch": "amd64"},
        **data,
    }


def said(conversation_id: str, content: str, **data: Any) -> Json:
    return {
        "conversation_id": conversation_id,
        "message_id": str(uuid4()),
        "agent_id": "a-1",
        "agent_type": "claude",
        "agent_name": "Ada",
        "content": content,
        **data,
    }


def opened(**data: Any) -> Json:
    """The start of a conversation in the camelCase dialect."""
    return {
        "mode": "round-robin",
        "initialPrompt": "Design a tower",
        "participants": [{"agentId": "a-1", "agentType": "claude", "agentName": "Ada"}],
        **data,
    }


def told(conversation_id: str, content: str, **message: Any) -> Json:
    """A message in the camelCase dialect."""
    return {
        "conversationId": conversation_id,
        "message": {
            "agentId": "a-1",
            "agentName": "Ada",
            "agentType": "claude",
            "content": content,
            "role": "agent",
            "timestamp": NOW,
            **message,
        },
    }


class Sse:
    """An open stream of server-sent events."""

    def __init__(
        self, status: int, headers: dict[str, str], chunks: "asyncio.Queue[bytes]"
    ) -> None:
        self.status = status
        self.headers = headers
        self.chunks = chunks
        self.buffer = b""
        self.comments = 0

    async def frame(self, *, within_s: float = DEADLINE_S) -> Json:
        """The next frame: its data, and its id under `$id`."""
        fields = await self.fields(within_s=within_s)
        return {**json.loads(fields["data"]), "$id": fields.get("id")}

    async def fields(self, *, within_s: float = DEADLINE_S) -> dict[str, str]:
        """The next frame as it is written."""
        async with asyncio.timeout(within_s):
            while True:
                while b"\n\n" not in self.buffer:
                    chunk = await self.chunks.get()
                    if not chunk:
                        raise EOFError
                    self.buffer += chunk
                block, _, self.buffer = self.buffer.partition(b"\n\n")
                fields = dict(
                    line.split(": ", 1) for line in block.decode().split("\n") if line[:1] != ":"
                )
                if "data" in fields:
                    return fields
                self.comments += 1

    async def frames(self, count: int) -> list[Json]:
        return [await self.frame() for _ in range(count)]


@asynccontextmanager
async def sse(
    path: str,
    *,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    posted: Json | None = None,
    **query: str,
) -> AsyncIterator[Sse]:
    """Open a stream as a browser would, and go away at the end. httpx cannot stream in process."""
    target, _, written = path.partition("?")
    all_headers = {"host": "localhost:8000", **(headers or {})}
    if key:
        all_headers["authorization"] = f"Bearer {key}"
    body = b""
    if posted is not None:
        body = json.dumps(posted).encode()
        all_headers["content-type"] = "application/json"
        all_headers["content-length"] = str(len(body))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET" if posted is None else "POST",
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "root_path": "",
        "query_string": "&".join(filter(None, [written, urlencode(query)])).encode(),
        "headers": [(name.encode(), value.encode()) for name, value in all_headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("localhost", 8000),
    }
    chunks: asyncio.Queue[bytes] = asyncio.Queue()
    opening: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
    has_asked = False
    leaving = asyncio.Event()

    async def receive() -> Json:
        nonlocal has_asked
        if not has_asked:
            has_asked = True
            return {"type": "http.request", "body": body, "more_body": False}
        await leaving.wait()
        return {"type": "http.disconnect"}

    async def send(message: Json) -> None:
        if message["type"] == "http.response.start":
            opening.set_result(message)
        else:
            if message.get("body"):
                chunks.put_nowait(message["body"])
            if not message.get("more_body"):
                chunks.put_nowait(b"")

    task = asyncio.create_task(application(scope, receive, send))
    try:
        async with asyncio.timeout(DEADLINE_S):
            start = await opening
        found = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        yield Sse(start["status"], found, chunks)
    finally:
        leaving.set()
        async with asyncio.timeout(DEADLINE_S):
            await task


class Socket(WebsocketCommunicator):
    """A socket to the application."""

    def __init__(
        self,
        path: str,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        subprotocols: list[str] | None = None,
    ) -> None:
        all_headers = {"host": "localhost:8000", **(headers or {})}
        if key:
            all_headers["authorization"] = f"Bearer {key}"
        raw = [(name.encode(), value.encode()) for name, value in all_headers.items()]
        super().__init__(application, path, headers=raw, subprotocols=subprotocols)
        self.scope["client"] = ("127.0.0.1", 50000)

    async def __aenter__(self) -> Self:
        accepted, self.subprotocol = await self.connect(timeout=DEADLINE_S)
        assert accepted
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.disconnect(timeout=DEADLINE_S)

    # The communicator of Channels keeps connections to the database open, for tests inside a
    # transaction. These are in none, and see whether connections are given back.

    async def send_input(self, message: Json) -> None:
        await COMMUNICATOR.send_input(self, message)

    async def receive_output(self, timeout: float = DEADLINE_S) -> Json:  # noqa: ASYNC109 - theirs
        message: Json = await COMMUNICATOR.receive_output(self, timeout)
        return message

    async def frame(self, *, within_s: float = DEADLINE_S) -> Json:
        frame: Json = await self.receive_json_from(timeout=within_s)
        return frame

    async def frames(self, count: int) -> list[Json]:
        return [await self.frame() for _ in range(count)]

    async def closed_with(self) -> int:
        message = await self.receive_output(timeout=DEADLINE_S)
        assert message["type"] == "websocket.close", message
        return int(message["code"])
