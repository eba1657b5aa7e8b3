"""Server-sent events: one topic to one HTTP response, for as long as somebody reads it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any

from asgiref.sync import SyncToAsync
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from streaming import log, wire
from streaming.errors import LeaveEnded
from streaming.events import EVERYTHING, Event, Filter, Render
from streaming.follow import Push, Truncated, following
from streaming.hub import HubClosed

# What a server that lets chunks of an answer be written at once has in the scope's extensions: it
# takes what goes into one, and says whether it did.
CHUNKS = "agentpipe.chunks"

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


def sse_response(
    request: HttpRequest,
    *,
    topic: str,
    render: Render = wire.unnamed_sse,
    only: Filter = EVERYTHING,
    begin: int | None = None,
    is_greeted: bool = True,
    is_named: bool = False,
) -> HttpResponseBase:
    """Follow a topic from the request's cursor. Raises CursorMalformed.

    Without a cursor it begins behind number `begin`, or with what comes from now on. `is_named`
    goes with a `render` that gives names: then what is told of the stream itself has one, too.
    """
    after = wire.cursor(request.headers.get("Last-Event-ID"), request.GET.get("since"))
    if after is None:
        after = begin
    span = log.span(topic)
    # The stream may last for days; the database connection of its request must not.
    connection.close()
    if span.has_ended and after == span.last:
        return HttpResponse(status=204)
    return EventStream(
        Stream(
            topic=topic,
            after=after,
            render=render,
            only=only,
            is_greeted=is_greeted,
            is_named=is_named,
            # The roof has put the caller there.
            leave=request.auth.leave,  # type: ignore[attr-defined]
        )
    )


class EventStream(StreamingHttpResponse):
    """The head of an answer; the stream tells its body, once the request is over for Django."""

    def __init__(self, stream: "Stream") -> None:
        super().__init__(_nothing(), content_type="text/event-stream", headers=HEADERS)
        self.stream = stream


async def _nothing() -> AsyncIterator[bytes]:
    nothing: list[bytes] = []
    for chunk in nothing:
        yield chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """All that is kept of a request for as long as somebody follows."""

    topic: str
    after: int | None
    render: Render
    only: Filter
    is_greeted: bool
    is_named: bool
    leave: Hashable | None

    async def tell(self, scope: Any, receive: Receive, send: Send) -> None:
        """Until the topic has ended, or the client has left."""
        task = asyncio.current_task()
        assert task
        leaving = asyncio.create_task(_cancel_when_left(receive, task))
        try:
            await self._tell(send, self._push(scope))
        except asyncio.CancelledError:
            if not leaving.done():
                raise
            task.uncancel()
        finally:
            leaving.cancel()

    async def _tell(self, send: Send, push: Push | None) -> None:
        async with following(
            self.topic,
            after=self.after,
            transport="sse",
            only=self.only,
            heartbeat_s=settings.STREAM_HEARTBEAT_S,
            leave=self.leave,
            push=push,
        ) as follower:
            last_id = follower.last_id if self.is_greeted else None
            await _send(send, wire.sse_opening(last_id, is_named=self.is_named))
            try:
                async for batch in follower:
                    if isinstance(batch, Truncated):
                        notice = wire.truncated(batch)
                        await _send(send, wire.sse_notice(notice, is_named=self.is_named))
                    elif not (push and push(batch)):
                        await _send(send, self._rendered(batch))
            except (HubClosed, LeaveEnded):
                pass
        await _send(send, b"", is_last=True)

    def _push(self, scope: Any) -> Push | None:
        """Write events without waiting, where the server lets us; not to who is slow to read."""
        write: Callable[[bytes], bool] | None = scope.get("extensions", {}).get(CHUNKS)
        if write is None:
            return None
        return lambda events: write(self._rendered(events))

    def _rendered(self, events: list[Event]) -> bytes:
        return b"".join(map(self.render, events)) or wire.PING


async def _send(send: Send, body: bytes, *, is_last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})


async def _cancel_when_left(receive: Receive, task: asyncio.Task[Any]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    task.cancel()


def let_go_of_the_thread() -> None:
    """Django keeps a thread for each request until its end: too dear for a stream."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None:
        executor = SyncToAsync.context_to_thread_executor.pop(context, None)
        if executor is not None:
            executor.shutdown(wait=False)
