"""A file that is there when it is whole, and not before."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PARTIAL = ".partial"


@contextmanager
def arriving(path: Path) -> Iterator[IO[bytes]]:
    """Write beside the path; it takes the place of what was there once all of it has come."""
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
