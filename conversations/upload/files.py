"""Files on their way into the record: on disk, unpacked, until they have been read to their end."""

import gzip
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from conversations.errors import BodyTooLarge, FileUnreadable

PIECE = 1024 * 1024
GZIP = b"\x1f\x8b"
# A file without a job is being received, or was left when its receiver was killed.
RECEIVED_WITHIN_S = 6 * 3600

Read = Callable[[int], bytes]


def keep(name: str, read: Read) -> int:
    """Write what is read to disk, unpacked if it is packed, and say how long it is.

    When this returns, the file survives a power cut. Raises BodyTooLarge and FileUnreadable.
    """
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    received = _path(f"{name}.part")
    try:
        size = _write(received, read)
        if _is_packed(received):
            size = _unpack(received, _path(name))
        else:
            received.rename(_path(name))
    except BaseException:
        remove(name)
        raise
    finally:
        received.unlink(missing_ok=True)
    _sync(folder())
    return size


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    with _path(name).open("rb") as file:
        yield file


def remove(name: str) -> None:
    _path(name).unlink(missing_ok=True)


def abandoned(wanted: set[str]) -> list[str]:
    """The names of old files that are not among those wanted."""
    if not folder().exists():
        return []
    before = time.time() - RECEIVED_WITHIN_S
    return [
        path.name
        for path in folder().iterdir()
        if path.name not in wanted and path.stat().st_mtime < before
    ]


def folder() -> Path:
    data_dir: Path = settings.DATA_DIR
    return data_dir / "imports"


def _path(name: str) -> Path:
    return folder() / name


def _write(path: Path, read: Read) -> int:
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while piece := read(PIECE):
            size += len(piece)
            if size > settings.IMPORT_LIMIT:
                raise BodyTooLarge
            file.write(piece)
        file.flush()
        os.fsync(descriptor)
    return size


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def _unpack(packed: Path, path: Path) -> int:
    with gzip.open(packed) as file:

        def read(length: int) -> bytes:
            try:
                return file.read1(length)
            except EOFError:
                # Torn, as the file of a tool that was killed: what is there is there.
                return b""
            except (OSError, zlib.error) as error:
                raise FileUnreadable from error

        return _write(path, read)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
