"""Lines on disk, from when they are read until the server has them.

A spool is a folder: segments of lines, `progress`, and a `lock` held by the process to which it
belongs. The n-th line of a spool is the n-th line that was read; one that is no event is empty.

- A line is handed to the operating system before it is sent: killing the process loses nothing.
  It is made to outlive a power failure once a second while lines come in, and when the server
  fails to take it; what the server has taken is safe there.
- `progress` moves past a line after the server has answered for it. An older progress makes
  repetitions, which the server knows; it never makes a gap.
- What is under way is noted before it is sent, so that after a crash the same lines go again as
  the same batch, under the same key.
"""

import json
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import IO, Any, Self

from agentpipe_client.locks import locked, try_lock

MIB = 1024 * 1024
SEGMENT_BYTES = 8 * MIB
MOST_EVENTS = 1_000
MOST_BYTES = 16 * MIB
SYNC_EVERY_S = 1.0
LOCK = "lock"
PROGRESS = "progress"
SEGMENT = ".ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a line begins; a segment is named by the number of its first line."""

    line: int
    segment: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    key: str
    lines: list[bytes]
    numbers: list[int]
    end: Place


@dataclass(slots=True)
class Segment:
    first: int
    path: Path
    size: int


class Spool:
    """One thread appends, one other takes batches from the front."""

    def __init__(self, folder: Path, lock: IO[bytes]) -> None:
        self.folder = folder
        self._lock = lock
        self._mutex = Lock()
        self._segments = _segments_of(folder)
        self._taken, self._under_way = _progress_of(folder, self._segments)
        self._next_line = 1
        self._tail: IO[bytes] | None = None
        self._synced_at = time.monotonic()

    @classmethod
    def create(cls, home: Path) -> Self:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}"
        with locked(home / LOCK):
            folder = home / name
            folder.mkdir(mode=0o700)
            lock = try_lock(folder / LOCK)
            assert lock is not None, "a new folder is nobody else's"
            return cls(folder, lock)

    @classmethod
    def left_over(cls, home: Path) -> list[Self]:
        """The spools, oldest first, whose processes are gone; from here on they are ours."""
        if not home.is_dir():
            return []
        with locked(home / LOCK):
            folders = sorted(path for path in home.iterdir() if path.is_dir())
            claims = [(folder, try_lock(folder / LOCK)) for folder in folders]
            return [cls(folder, lock) for folder, lock in claims if lock is not None]

    def append(self, lines: Sequence[bytes]) -> None:
        """Whole lines with their ends; an empty line for what was read and is no event."""
        written = b"".join(lines)
        tail = self._growing()
        assert self._tail is not None
        self._tail.write(written)
        self._tail.flush()
        with self._mutex:
            tail.size += len(written)
            self._next_line += len(lines)
        if time.monotonic() - self._synced_at > SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        """Let what was appended outlive a power failure."""
        with self._mutex:
            self._synced_at = time.monotonic()
            if self._tail is not None:
                os.fsync(self._tail.fileno())

    def next_batch(self, most_events: int = MOST_EVENTS) -> Batch | None:
        """What is to be sent next, and until it is settled; None where everything was taken."""
        while (segment := self._front()) is not None:
            start = self._taken
            batch = self._read(segment, start, most_events)
            if batch.lines:
                self._note(start, under_way=batch.end.line)
                return batch
            self._taken = batch.end  # nothing but empty lines
        return None

    def settle(self, batch: Batch) -> None:
        """The server has answered for each line."""
        self._taken, self._under_way = batch.end, None
        self._note(batch.end, under_way=None)

    def discard(self) -> None:
        """Remove what is not needed any more."""
        with locked(self.folder.parent / LOCK):
            for path in self.folder.iterdir():
                path.unlink()
            self.folder.rmdir()
            self.release()

    def release(self) -> None:
        """Leave the rest to the next process."""
        if self._tail is not None:
            self.sync()
            self._tail.close()
            self._tail = None
        self._lock.close()

    def _growing(self) -> Segment:
        with self._mutex:
            if self._tail is not None and self._segments[-1].size < SEGMENT_BYTES:
                return self._segments[-1]
            if self._tail is not None:
                os.fsync(self._tail.fileno())
                self._tail.close()
            path = self.folder / f"{self._next_line:012d}{SEGMENT}"
            self._tail = path.open("xb")
            self._segments.append(Segment(self._next_line, path, 0))
            return self._segments[-1]

    def _front(self) -> Segment | None:
        """The segment with the next line; those behind it are removed."""
        with self._mutex:
            while self._segments:
                front = self._segments[0]
                if self._taken.segment != front.first:
                    self._taken = Place(line=front.first, segment=front.first, offset=0)
                if self._taken.offset < front.size:
                    return Segment(front.first, front.path, front.size)
                if len(self._segments) == 1:
                    return None
                del self._segments[0]
                front.path.unlink()
            return None

    def _read(self, segment: Segment, start: Place, most_events: int) -> Batch:
        lines: list[bytes] = []
        numbers: list[int] = []
        line, offset, size = start.line, start.offset, 0
        with segment.path.open("rb") as file:
            file.seek(offset)
            while offset < segment.size and len(lines) < most_events and line != self._under_way:
                read = file.readline()
                if lines and size + len(read) > MOST_BYTES:
                    break
                if read.strip():
                    lines.append(read)
                    numbers.append(line)
                    size += len(read)
                line += 1
                offset += len(read)
        end = Place(line=line, segment=segment.first, offset=offset)
        key = f"{self.folder.name}:{start.line}-{line}"
        return Batch(key=key, lines=lines, numbers=numbers, end=end)

    def _note(self, taken: Place, *, under_way: int | None) -> None:
        noted = self.folder / f"{PROGRESS}.new"
        noted.write_text(json.dumps({"taken": asdict(taken), "under_way": under_way}))
        noted.replace(self.folder / PROGRESS)


def _segments_of(folder: Path) -> list[Segment]:
    """What a process left behind; a last line that it did not end is ended here."""
    paths = sorted(folder.glob(f"*{SEGMENT}"))
    for path in paths[-1:]:
        with path.open("r+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
    return [Segment(int(path.stem), path, path.stat().st_size) for path in paths]


def _progress_of(folder: Path, segments: list[Segment]) -> tuple[Place, int | None]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        noted: dict[str, Any] = json.loads((folder / PROGRESS).read_text())
        place = Place(**noted["taken"])
        if any(place.segment == found.first and place.offset <= found.size for found in segments):
            under_way = noted["under_way"]
            return place, under_way if under_way and under_way > place.line else None
    return Place(line=1, segment=1, offset=0), None
