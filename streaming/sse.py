"""Server-sent events: one topic to one HTTP response, for as long as somebody reads it."""

from collections.abc import AsyncIterator, Hashable

from asgiref.sync import SyncToAsync
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from streaming import log, wire
from streaming.errors import LeaveEnded
from streaming.events import EVERYTHING, Filter, Render
from streaming.follow import Truncated, following
from streaming.hub import HubClosed

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
    frames = _frames(
        topic,
        after=after,
        render=render,
        only=only,
        is_greeted=is_greeted,
        is_named=is_named,
        # The roof has put the caller there.
        leave=request.auth.leave,  # type: ignore[attr-defined]
    )
    return StreamingHttpResponse(frames, content_type="text/event-stream", headers=HEADERS)


async def _frames(
    topic: str,
    *,
    after: int | None,
    render: Render,
    only: Filter,
    is_greeted: bool,
    is_named: bool,
    leave: Hashable | None,
) -> AsyncIterator[bytes]:
    let_go_of_the_thread()
    async with following(
        topic,
        after=after,
        transport="sse",
        only=only,
        heartbeat_s=settings.STREAM_HEARTBEAT_S,
        leave=leave,
    ) as follower:
        yield wire.sse_opening(follower.last_id if is_greeted else None, is_named=is_named)
        try:
            async for batch in follower:
                if isinstance(batch, Truncated):
                    yield wire.sse_notice(wire.truncated(batch), is_named=is_named)
                else:
                    yield b"".join(map(render, batch)) or wire.PING
        except (HubClosed, LeaveEnded):
            return


def let_go_of_the_thread() -> None:
    """Django keeps a thread for each request until its end: too dear for a stream."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None:
        executor = SyncToAsync.context_to_thread_executor.pop(context, None)
        if executor is not None:
            executor.shutdown(wait=False)
