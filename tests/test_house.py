"""The house is as its plan says: settings and events are documented, no migration is missing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from agents.events import RUN_KINDS, STEP_KINDS
from conversations.events import INGEST_KINDS, JOB_KINDS
from workflows.events import WORKFLOW_KINDS
from workflows.preview.events import SECTION_UPDATED
from workflows.quality.recording import QUALITY_UPDATED

ROOT = Path(__file__).parent.parent
ROOMS = ("agentpipe", "streaming", "conversations", "agents", "workflows")
READERS = r"env\.\w+\(\s*\"(\w+)\""


def test_no_import_goes_up_the_tower() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_migration_is_missing(transactional_db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_every_setting_is_in_the_example() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "agentpipe").rglob("*.py"))
    listed = re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(re.findall(READERS, code)) - set(listed) == set()


def test_every_kind_of_event_is_documented() -> None:
    documented = (ROOT / "docs/events.md").read_text()
    kinds = sorted(INGEST_KINDS | JOB_KINDS | RUN_KINDS | WORKFLOW_KINDS | {*STEP_KINDS})
    kinds += [SECTION_UPDATED, QUALITY_UPDATED]
    assert [kind for kind in kinds if f"`{kind}`" not in documented] == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_of_the_plan_is_there_and_no_other(room: str) -> None:
    plan = (ROOT / "docs/architecture.md").read_text()
    section = plan.split(f"### `{room}/`")[1].split("\n## ")[0].split("\n### ")[0]
    planned = set(re.findall(r"`([\w/]+?(?:\.py|/))`", section))
    found = {
        path.relative_to(ROOT / room).as_posix()
        for path in (ROOT / room).rglob("*.py")
        if path.name not in {"__init__.py", "apps.py"} and "migrations" not in path.parts
    }
    folders = {name for name in planned if name.endswith("/")}
    loose = {name for name in found if not any(name.startswith(folder) for folder in folders)}
    assert loose == {name for name in planned if name.endswith(".py")}


def test_services_open_transactions_in_one_way_only() -> None:
    allowed = {"streaming/publish.py", "conversations/replica.py"}
    found = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "migrations" not in path.parts and "transaction.atomic" in path.read_text()
    }
    assert found <= allowed
