"""Uvicorn's sockets, with a way past all that is the same for everybody: whole frames, at once."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State

from streaming.consumers import FRAMES


class Socket(WebSocketsSansIOProtocol):
    """A consumer finds `write_frames` in its scope, and need not make each frame anew."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:  # it was no handshake, and was refused
            self.scope["extensions"] = {
                **(self.scope["extensions"] or {}),
                FRAMES: self.write_frames,  # type: ignore[dict-item]
            }

    def write_frames(self, frames: bytes) -> bool:
        """Hand on the bytes of whole frames; False to who is slow to read, or is gone."""
        if not self.writable.is_set() or self.conn.state is not State.OPEN:
            return False
        if self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True
