"""What became of files that were sent, so that the same command goes on instead of beginning anew.

A file is the same as long as its place, size and time of change are.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentpipe_client.command.places import short_digest


class Memory:
    """Of what was sent to one project of one server."""

    def __init__(self, folder: Path, url: str, project: str) -> None:
        self.folder = folder
        self.target = (url, project)

    def of(self, file: Path) -> "Note":
        found = file.stat()
        place = str(file.resolve())
        path = self.folder / f"{short_digest(*self.target, place)}.json"
        note = Note(path=path, file=place, size=found.st_size, changed_at=found.st_mtime_ns)
        note.recall()
        return note


@dataclass(slots=True, kw_only=True)
class Note:
    path: Path
    file: str
    size: int
    changed_at: int
    job: str | None = None
    is_finished: bool = False

    def recall(self) -> None:
        with suppress(OSError, ValueError):
            kept: dict[str, Any] = json.loads(self.path.read_text())
            if (kept["size"], kept["changed_at"]) == (self.size, self.changed_at):
                self.job, self.is_finished = kept["job"], kept["is_finished"]

    def under_way(self, job: str) -> None:
        self.job, self.is_finished = job, False
        self._keep()

    def finished(self) -> None:
        self.is_finished = True
        self._keep()

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def _keep(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = {
            "file": self.file,
            "size": self.size,
            "changed_at": self.changed_at,
            "job": self.job,
            "is_finished": self.is_finished,
        }
        written = self.path.with_suffix(".new")
        written.write_text(json.dumps(kept))
        written.replace(self.path)
