"""sse-starlette: a queue for each response, as its documentation has it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
import uvloop
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from benchmarks.clients import HOST
from benchmarks.peers.telling import GREETING, announce, texts

followers: set["asyncio.Queue[str]"] = set()


async def follow(request: Request) -> Any:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def frames() -> AsyncIterator[dict[str, str]]:
        yield {"data": GREETING}
        followers.add(queue)
        try:
            while True:
                text = await queue.get()
                yield {"data": text}
        finally:
            followers.discard(queue)

    return EventSourceResponse(frames(), sep="\n")


async def main() -> None:
    app = Starlette(routes=[Route("/", follow)])
    # At its end each stream that is cut would be an error with twenty lines.
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)
    announce(server.servers[0].sockets[0].getsockname()[1])
    async for text in texts():
        for queue in followers:
            queue.put_nowait(text)
    serving.cancel()


if __name__ == "__main__":
    uvloop.run(main())
