"""Each request and socket has an id: on every line of the log that it causes, and in its answer."""

import re
import secrets
from functools import cache
from typing import Any

from prometheus_client import Counter, Gauge
from structlog.contextvars import bound_contextvars

from agentpipe.api.body import Application

HEADER = b"x-request-id"
# What a proxy in front has called it already.
FIT = re.compile(rb"[\w.:-]{1,64}", re.ASCII)

ANSWERED = Counter("agentpipe_requests", "Requests that were answered.", ["status"])
SOCKETS = Gauge("agentpipe_sockets", "Open sockets, each of which may follow many streams.")


class RequestIds:
    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = _given(scope) or secrets.token_hex(8).encode()

        async def send_with_id(message: Any) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                message = {**message, "headers": [*message.get("headers", []), (HEADER, name)]}
                if "status" in message:
                    _answered(message["status"]).inc()
            await send(message)

        with bound_contextvars(request=name.decode()):
            if scope["type"] == "websocket":
                with SOCKETS.track_inprogress():
                    await self.application(scope, receive, send_with_id)
            else:
                await self.application(scope, receive, send_with_id)


@cache
def _answered(status: int) -> Counter:
    """Looking a label up takes longer than counting."""
    return ANSWERED.labels(status)


def _given(scope: Any) -> bytes | None:
    given: bytes = dict(scope["headers"]).get(HEADER, b"")
    return given if FIT.fullmatch(given) else None
