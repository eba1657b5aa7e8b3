"""Following a stream over sockets that come and go: everything once, in order.

A follower keeps the id it has got to and comes back with it; the server then sends exactly what
was missed. An event whose number is not above the last one is a repetition and is dropped.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from agentpipe_client.errors import StreamRefused
from agentpipe_client.record import Json
from agentpipe_client.retries import Patience

CONNECTED = "connected"
TRUNCATED = "stream.truncated"
# Malformed cursor, not authenticated, origin or scope, no such stream, too many streams.
FINAL_CODES = frozenset({4400, 4401, 4403, 4404, 4408})
ABNORMAL = 1006
# What a proxy, or a server that is not up yet, answers to a handshake.
PASSING_STATUSES = frozenset({408, 425, 429})
STEADY_AFTER_S = 10.0
BETWEEN_SOCKETS = Patience(first_wait_s=0.5, longest_wait_s=15.0)
# A frame is as large as the message it carries, and its sender is the server that was chosen.
SOCKET_OPTIONS: dict[str, Any] = {"max_size": None, "close_timeout": 1}
BROKEN_SOCKET = (OSError, WebSocketException)

_ID = re.compile(r"\d+_(\d+)_[0-9a-f]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A frame of a stream. `stream.truncated` says that what came before is no longer held."""

    type: str
    timestamp: str
    id: str | None
    seq: int | None
    frame: Json

    @property
    def data(self) -> Json:
        """The payload of the ingest family; others have it in `frame`, under their own name."""
        found: Json = self.frame.get("data") or {}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """The stream has broken off, and is opened again after a pause."""

    reason: str
    pause_s: float


OnInterruption = Callable[[Interruption], None]


class Place:
    """Where a follower is in its stream."""

    def __init__(self, since: str | None) -> None:
        self.since = since
        self._seq = _seq_of(since)
        self._interruptions = 0
        self._opened_at = 0.0

    @property
    def query(self) -> dict[str, str]:
        return {} if self.since is None else {"since": self.since}

    def opening(self) -> None:
        self._opened_at = time.monotonic()

    def take(self, text: str | bytes) -> Event | None:
        """The event of a frame; None where it is a notice, or was seen before."""
        frame = json.loads(text)
        kind = frame["type"]
        if kind == CONNECTED:
            self._stand_at(frame.get("lastEventId"))
            return None
        event = Event(
            type=kind,
            timestamp=frame.get("timestamp", ""),
            id=frame.get("id"),
            seq=frame.get("seq"),
            frame=frame,
        )
        if kind == TRUNCATED:
            oldest = _seq_of(frame.get("oldestId"))
            self._seq = None if oldest is None else oldest - 1
        elif event.seq is not None:
            if self._seq is not None and event.seq <= self._seq:
                return None
            self.since, self._seq = event.id, event.seq
        self._interruptions = 0
        return event

    def interrupted(self, error: Exception | None) -> Interruption:
        """What to wait for before coming back. Raises StreamRefused where that is no use."""
        code, reason = _ending(error)
        if code in FINAL_CODES or (400 <= code < 500 and code not in PASSING_STATUSES):
            raise StreamRefused(code, reason) from error
        if time.monotonic() - self._opened_at > STEADY_AFTER_S:
            self._interruptions = 0
        self._interruptions += 1
        pause_s = BETWEEN_SOCKETS.backoff_s(self._interruptions)
        return Interruption(reason=f"{reason} ({code})", pause_s=pause_s)

    def _stand_at(self, last_id: str | None) -> None:
        # A follower that asked for no place gets one, or a quiet stream would lose its start.
        if self.since is None and last_id:
            self.since, self._seq = last_id, _seq_of(last_id)


def _seq_of(event_id: str | None) -> int | None:
    if event_id == "0":
        return 0
    found = _ID.fullmatch(event_id or "")
    return int(found[1]) if found else None


def _ending(error: Exception | None) -> tuple[int, str]:
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        return error.rcvd.code, error.rcvd.reason or "The server closed the stream"
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return status, f"The server does not open the stream: HTTP {status}"
    return ABNORMAL, str(error) or type(error).__name__
