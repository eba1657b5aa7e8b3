"""HTTP connections of clients that may be anyone: a request has to come soon, and whole."""

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request

from agentpipe.sockets import Socket
from streaming.sse import CHUNKS

LONGEST_HEAD = 64 * 1024
HEAD_WITHIN_S = 20.0
# A body has this long, and as much longer as it takes at this pace.
BODY_WITHIN_S = 60.0
SLOWEST_BODY_BYTES_A_S = 500
# By which it is decided whether a request is a handshake.
OF_HANDSHAKE = {b"connection", b"upgrade", b"sec-websocket-key", b"sec-websocket-version"}
OFFERED = b"sec-websocket-protocol"
ASGI = {"version": "3.0", "spec_version": "2.4"}


class Chunks:
    """Of answers without a length. It does not know the connection, which would know itself."""

    __slots__ = ("flow", "transport")

    def __init__(self, transport: asyncio.Transport, flow: FlowControl) -> None:
        self.transport = transport
        self.flow = flow

    def write(self, chunk: bytes) -> bool:
        """Hand on what is one chunk; False to who is slow to read, or is gone."""
        if self.flow.write_paused or self.transport.is_closing():
            return False
        self.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        return True


class Connection(HttpToolsProtocol):
    """Uvicorn's own waits for the rest of a request forever, and keeps whatever comes of a head."""

    head_length: int | None = None
    # When what is missing of a request must be there; None while nothing is.
    deadline: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.chunks = Chunks(transport, self.flow)
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
        if self.scope["method"] == "GET":
            extensions: dict[str, Any] = {CHUNKS: self.chunks.write}
            self.scope["extensions"] = extensions
        self.head_length = None
        self.deadline = self.loop.time() + BODY_WITHIN_S

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.deadline = None

    def handle_websocket_upgrade(self) -> None:
        # Uvicorn's own writes the request anew, and has it parsed again.
        self.connections.discard(self)
        socket = Socket(self.config, self.server_state, self.transport)
        self.transport.set_protocol(socket)
        handshake = Headers()
        for name, value in self.headers:
            if name in OF_HANDSHAKE:
                handshake[name.decode()] = value.decode("latin-1")
        url = self.url.decode("latin-1")
        request = Request(url, handshake, method=self.scope["method"])
        socket.open(request, self._scope_of_socket(url))
        # It knows us, too: neither would be gone before a full collection.
        self.parser = None  # type: ignore[assignment]

    def _scope_of_socket(self, url: str) -> dict[str, Any]:
        path, _, query = url.partition("?")
        offered = [value.decode("latin-1") for name, value in self.headers if name == OFFERED]
        return {
            "type": "websocket",
            "asgi": ASGI,
            "http_version": "1.1",
            "scheme": "wss" if self.scheme == "https" else "ws",
            "server": self.server,
            "client": self.client,
            "root_path": self.root_path,
            "path": self.root_path + unquote(path),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": self.headers,
            "subprotocols": [word.strip() for line in offered for word in line.split(",")],
        }

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
