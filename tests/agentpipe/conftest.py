import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

DIFFICULT = 'it\'s a "folder", ü'


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder with a difficult name; unlike tmp_path, other users may pass through it."""
    outer = Path(tempfile.mkdtemp(prefix="agentpipe-"))
    outer.chmod(0o711)
    inner = outer / DIFFICULT
    inner.mkdir()
    yield inner
    shutil.rmtree(outer)


@pytest.fixture
def as_root() -> None:
    if os.getuid() != 0:
        pytest.skip("only root has to give its rights up")
