"""Keeps bodies within bounds before Django stores them."""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

Application = Callable[[Any, Any, Any], Awaitable[None]]

# What is too large is still read, up to here: a client in the middle of sending hears no answer.
MOST_READ = 128 * 1024 * 1024


class BodyLimit:
    """Passes on one byte more than is allowed, so that the view sees it is too many; no more.

    A body that comes without its length gets one: parsers take what has none for empty.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        room = settings.BODY_LIMITS.get(scope["path"], settings.BODY_LIMIT) + 1
        read = passed_on = 0
        # Django reads the whole body first and then the headers, so the last of them may come late.
        headers = list(scope["headers"])
        has_length = any(name == b"content-length" for name, _ in headers)

        async def receive_within_bounds() -> Any:
            nonlocal room, read, passed_on
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return message
                body = message.get("body", b"")
                read += len(body)
                passed, room = body[:room], max(0, room - len(body))
                if read > MOST_READ:
                    return {"type": "http.disconnect"}
                passed_on += len(passed)
                if not message.get("more_body") and not has_length:
                    headers.append((b"content-length", str(passed_on).encode()))
                if passed or not message.get("more_body"):
                    return {**message, "body": passed}

        await self.application({**scope, "headers": headers}, receive_within_bounds, send)
