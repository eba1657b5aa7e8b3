"""What others wrote is here as they published it, and no page loads anything from elsewhere."""

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = [ROOT / "static/vendor", ROOT / "tests/browser/vendor"]
SUM = re.compile(r"^\| `(\S+)` \| `([0-9a-f]{64})` \|$", re.MULTILINE)


@pytest.mark.parametrize("folder", FOLDERS, ids=["pages", "tests"])
def test_each_file_is_as_it_was_published(folder: Path) -> None:
    listed = dict(SUM.findall((folder / "VENDOR.md").read_text()))
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "VENDOR.md"
    }
    assert found == listed


def test_nothing_that_is_ours_is_loaded_from_elsewhere() -> None:
    ours = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static/css").rglob("*.css")]
    ours += (ROOT / "static/js").rglob("*.js")
    loads = re.compile(r"(?:src=|import\s|from\s|url\()[\"']?(?:https?:)?//|<link[^>]+//")
    assert [path.name for path in ours if loads.search(path.read_text())] == []
