"""What is made piece by piece, sent piece by piece: as fast as it is read, and no faster."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from urllib.parse import quote

from channels.db import database_sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from conversations.errors import ConversationNotFound
from streaming.sse import let_go_of_the_thread

log = logging.getLogger(__name__)


def download(
    request: HttpRequest | Request, pieces: Iterator[bytes], *, name: str, content_type: str
) -> HttpResponseBase:
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": _disposition(name),
        "Cache-Control": "no-store",
    }
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    # The first piece is made here, where what fails can still be answered.
    first = next(pieces, b"")
    # The download may last for hours; the database connection of its request must not.
    connection.close()
    return StreamingHttpResponse(_sent(chain([first], pieces)), headers=headers)


async def _sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    let_go_of_the_thread()
    make_next = database_sync_to_async(_next, thread_sensitive=False)
    try:
        while (piece := await make_next(pieces)) is not None:
            yield piece
    except ConversationNotFound as error:
        log.warning("An export breaks off: its conversation was deleted meanwhile")
        # What makes Django end a response whose reader has gone: the connection is closed, and no
        # client takes what it has for the whole.
        raise asyncio.CancelledError from error


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)


def _disposition(name: str) -> str:
    # For clients that know only the older of the two.
    plain = name if name.isascii() else f"export.{name.rpartition('.')[2]}"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
