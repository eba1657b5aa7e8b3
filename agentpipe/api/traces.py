"""Each request begins a trace, or goes on with its caller's, where traces are taken."""

from typing import Any

from django.urls import Resolver404, resolve

from agentpipe.api.body import Application
from streaming import tracing


class Traces:
    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not tracing.is_on():
            await self.application(scope, receive, send)
            return

        async def send_and_note(message: Any) -> None:
            if message["type"] == "http.response.start":
                tracing.note(**{"http.response.status_code": message["status"]})
                if (b"content-type", b"text/event-stream") in _lowered(message["headers"]):
                    tracing.close_here()
            await send(message)

        name = f"{scope['method']} /{_route(scope['path'])}"
        given = [
            value.decode("latin-1")
            for header, value in scope["headers"]
            if header == tracing.HEADER.encode()
        ]
        with tracing.span(name, after=given, begins=True, **{"url.path": scope["path"]}):
            await self.application(scope, receive, send_and_note)


def _route(path: str) -> str:
    try:
        return str(resolve(path).route)
    except Resolver404:
        return ""


def _lowered(headers: Any) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in headers]
