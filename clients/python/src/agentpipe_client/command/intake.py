"""Lines as a recording tool writes them: events, and whatever else it says."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from select import select
from typing import Any

from agentpipe_client.spool import MOST_BYTES

CHUNK = 256 * 1024
NO_EVENT = b"\n"


@dataclass(slots=True)
class Intake:
    """Makes of each line what is spooled for it, and counts what it leaves out."""

    others: int = 0
    too_long: int = 0
    is_torn: bool = False
    _stamped: datetime = field(default=datetime.min.replace(tzinfo=UTC))

    def take(self, line: bytes, *, is_whole: bool = True) -> bytes:
        event = _event(line)
        if event is None:
            self.is_torn = not is_whole and line.lstrip().startswith(b"{")
            self.others += bool(line.strip()) and not self.is_torn
            return NO_EVENT
        if not event.get("timestamp"):
            # Without a time of its own the server could not tell an event from its repetition.
            line = json.dumps({**event, "timestamp": self._stamp()}).encode()
        if len(line) >= MOST_BYTES:
            self.too_long += 1
            return NO_EVENT
        return line.rstrip(b"\r\n") + b"\n"

    def _stamp(self) -> str:
        # Two equal events are two: no two stamps are the same.
        self._stamped = max(datetime.now(UTC), self._stamped + timedelta(microseconds=1))
        return self._stamped.isoformat().replace("+00:00", "Z")


def chunks_with_lines(source: int, alarm: int) -> Iterator[tuple[bytes, list[bytes], bool]]:
    """What can be read now, the lines it ends, and whether they are whole; at once as it comes.

    Something to read from `alarm` says that a signal waits to be handled.
    """
    rest = b""
    while chunk := _read(source, alarm):
        *lines, rest = (rest + chunk).split(b"\n")
        yield chunk, lines, True
    if rest:
        yield b"", [rest], False


def _read(source: int, alarm: int) -> bytes:
    while True:
        readable, _, _ = select([source, alarm], [], [])
        if alarm in readable:
            os.read(alarm, CHUNK)
        if source in readable:
            return os.read(source, CHUNK)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("type"), str) else None
