"""Keeps bodies within bounds before Django stores them."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

Application = Callable[[Any, Any, Any], Awaitable[None]]
IsKnown = Callable[[Any], Awaitable[bool]]

# What is too large is still read, up to here: a client in the middle of sending hears no answer.
MOST_READ = 128 * 1024 * 1024
IMPORTS = re.compile("/import|/api/projects/[^/]+/ingest/jobs")


class BodyLimit:
    """Passes on one byte more than is allowed, so that the view sees it is too many; no more.

    A body that comes without its length gets one: parsers take what has none for empty. Files to
    import may fill disks: of those who are not let in, no more is stored than of anything else.
    """

    def __init__(self, application: Application, *, is_known: IsKnown) -> None:
        self.application = application
        self.is_known = is_known

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        room = await self._limit(scope) + 1
        most_read = room + MOST_READ
        read = passed_on = 0
        # Django reads the whole body first and then the headers, so the last of them may come late.
        headers = [_within(room, name, value) for name, value in scope["headers"]]
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
                if read > most_read:
                    return {"type": "http.disconnect"}
                passed_on += len(passed)
                if not message.get("more_body") and not has_length:
                    headers.append((b"content-length", str(passed_on).encode()))
                if passed or not message.get("more_body"):
                    return {**message, "body": passed}

        await self.application({**scope, "headers": headers}, receive_within_bounds, send)

    async def _limit(self, scope: Any) -> int:
        path = scope["path"]
        if scope["method"] == "POST" and IMPORTS.fullmatch(path) and await self.is_known(scope):
            most: int = settings.IMPORT_LIMIT
        else:
            most = settings.BODY_LIMITS.get(path, settings.BODY_LIMIT)
        return most


def _within(room: int, name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A length is that of what is passed on, or what reads the body would wait for the rest."""
    if name == b"content-length" and value.isdigit() and int(value) > room:
        return name, str(room).encode()
    return name, value
