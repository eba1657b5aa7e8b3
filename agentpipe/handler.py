"""Django's handler of requests, of which nothing is left in memory once a request has ended."""

from contextlib import suppress
from typing import Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.http.response import HttpResponseBase

from agentpipe.streams import TOLD_BY
from streaming.sse import EventStream


class Handler(ASGIHandler):
    async def listen_for_disconnect(self, receive: Any) -> None:
        """Return when the client has left, or has its answer.

        Django raises here what it does not look at. The error keeps the frame that awaits it, that
        frame the task, and the task the error: a knot around the request and all that it has made,
        of each request there is, which only a full collection undoes.
        """
        with suppress(RequestAborted):
            await super().listen_for_disconnect(receive)

    async def send_response(self, response: HttpResponseBase, send: Any) -> None:
        if isinstance(response, EventStream):
            await send({"type": TOLD_BY, "stream": response.stream})
        await super().send_response(response, send)
