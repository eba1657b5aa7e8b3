"""HTTP connections of clients that may be anyone: a request has to come soon, and whole."""

import asyncio
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 64 * 1024
HEAD_WITHIN_S = 20.0
# A body has this long, and as much longer as it takes at this pace.
BODY_WITHIN_S = 60.0
SLOWEST_BODY_BYTES_A_S = 500


class Connection(HttpToolsProtocol):
    """Uvicorn's own waits for the rest of a request forever, and keeps whatever comes of a head."""

    head_length: int | None = None
    # When what is missing of a request must be there; None while nothing is.
    deadline: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if self.head_length is not None:
            self.head_length += len(data)
        elif self.deadline is not None:
            self.deadline += len(data) / SLOWEST_BODY_BYTES_A_S
        super().data_received(data)
        if self.head_length is not None and self.head_length > LONGEST_HEAD:
            self.send_400_response("The headers are too large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.head_length = None
        self.deadline = self.loop.time() + BODY_WITHIN_S

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.deadline = None

    def is_overdue(self, now: float) -> bool:
        if self.deadline is None or now < self.deadline:
            return False
        if self.flow.read_paused:
            # It is we who do not read.
            self.deadline = now + BODY_WITHIN_S
            return False
        return True

    def _await_head(self) -> None:
        self.head_length = 0
        self.deadline = self.loop.time() + HEAD_WITHIN_S


def let_go_of_the_overdue(connections: Iterable[Any]) -> None:
    """Of those of which a request has begun and does not come, or has never begun."""
    now = asyncio.get_running_loop().time()
    for connection in list(connections):
        if isinstance(connection, Connection) and connection.is_overdue(now):
            connection.transport.abort()
