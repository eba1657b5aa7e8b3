"""The files of a database, out of the system's memory or in it."""

import os
from pathlib import Path

PIECE = 8 * 1024 * 1024


def forget(folder: Path) -> None:
    """As after a start of the machine. Linux only; what a running process has mapped stays."""
    for path in _files(folder):
        with path.open("rb") as file:
            os.fdatasync(file)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(folder: Path) -> None:
    """As after a while: all of it has been read, as far as there is memory for it."""
    for path in _files(folder):
        with path.open("rb") as file:
            while file.read(PIECE):
                pass


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
