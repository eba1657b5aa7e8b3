"""A file as the body of a request: read while it is sent, from its beginning at each attempt."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from agentpipe_client.errors import FileCutShort

CHUNK = 256 * 1024
JSON = "application/json"
NDJSON = "application/x-ndjson"
LINE_BY_LINE = {".jsonl", ".ndjson"}
LONGEST_FIRST_LINE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileBody:
    """The bytes that a file has now: what is appended to it meanwhile is left for another time."""

    path: Path
    size: int
    media_type: str
    is_compressed: bool
    on_progress: Callable[[int], None] | None = None

    @classmethod
    def of(cls, path: Path, on_progress: Callable[[int], None] | None = None) -> "FileBody":
        return cls(
            path=path,
            size=path.stat().st_size,
            media_type=_media_type(path),
            is_compressed=path.suffix == ".gz",
            on_progress=on_progress,
        )

    @property
    def headers(self) -> dict[str, str]:
        encoding = {"Content-Encoding": "gzip"} if self.is_compressed else {}
        return {"Content-Type": self.media_type, "Content-Length": str(self.size), **encoding}

    def chunks(self) -> Iterator[bytes]:
        sent = 0
        with self.path.open("rb") as file:
            while sent < self.size:
                chunk = file.read(min(CHUNK, self.size - sent))
                if not chunk:
                    raise FileCutShort(f"{self.path} has become shorter while it was sent")
                sent += len(chunk)
                yield chunk
                if self.on_progress:
                    self.on_progress(sent)


def _media_type(path: Path) -> str:
    """By its name, or else by its first line: the output of a tool is saved under any name."""
    plain_name = Path(path.stem) if path.suffix == ".gz" else path
    if plain_name.suffix in LINE_BY_LINE:
        return NDJSON
    with _opened(path) as file:
        first = b""
        while not first.strip():
            first = file.readline(LONGEST_FIRST_LINE)
            if not first:
                return JSON
        if first.lstrip()[:1] not in {b"{", b"["}:
            return NDJSON
        try:
            json.loads(first)
        except ValueError:
            return JSON
        return NDJSON if file.readline(LONGEST_FIRST_LINE).strip() else JSON


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
