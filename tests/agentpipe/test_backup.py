"""What was recorded is saved while it goes on, and brought back as it was."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from channels.db import database_sync_to_async
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from pytest_django import Settings

from agentpipe.database import let_database_go, the_database
from agentpipe.embedded import Postgres
from conversations.models import Project
from streaming import replay
from tests.agentpipe.knocking import knock
from tests.agentpipe.test_embedded import ask
from tests.clients import Api, Socket
from tests.services import THROWAWAY

in_database = database_sync_to_async
FORMATS = ("json", "jsonl", "markdown", "html")


@pytest.fixture(autouse=True)
def _a_site(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "var"
    (settings.DATA_DIR / "imports").mkdir(parents=True)
    (settings.DATA_DIR / "secret_key").write_text("of the tower")
    (settings.DATA_DIR / "imports" / "waiting.jsonl").write_text("{}\n")


@contextmanager
def fresh_site(settings: Settings, folder: Path) -> Iterator[None]:
    """A data directory and a database with nothing in them."""
    name = f"fresh_{secrets.token_hex(6)}"
    known = connection.settings_dict["NAME"], settings.DATA_DIR
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    let_database_go()
    connection.settings_dict["NAME"], settings.DATA_DIR = name, folder
    try:
        yield
    finally:
        let_database_go()
        connection.settings_dict["NAME"], settings.DATA_DIR = known
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def exported(conversation: str, key: str) -> list[bytes]:
    target = f"/api/conversations/{conversation}/export"
    answers = [await knock(target, query=f"format={name}", key=key) for name in FORMATS]
    assert {answer.status for answer in answers} == {200}
    return [answer.body for answer in answers]


async def test_what_was_recorded_comes_back_to_the_byte_and_goes_on(
    api: Api, key: str, project: Project, settings: Settings, tmp_path: Path
) -> None:
    conversation = await api.start()
    await api.say(conversation, "How high?", "It is 42 m high. \U0001f5fc")
    before = await exported(conversation, key)
    told = await in_database(replay.since)(project.topic, None, limit=2)
    last = await in_database(replay.last_number)(project.topic)
    await in_database(call_command)("backup", tmp_path / "saved")
    await api.say(conversation, "After the backup")

    site = fresh_site(settings, tmp_path / "fresh")
    await in_database(site.__enter__)()
    try:
        await in_database(call_command)("restore", tmp_path / "saved")

        assert await exported(conversation, key) == before
        assert await in_database(replay.last_number)(project.topic) == last
        assert (tmp_path / "fresh" / "secret_key").read_text() == "of the tower"
        assert (tmp_path / "fresh" / "imports" / "waiting.jsonl").exists()
        # Whoever was away meanwhile gets what was missed, and then what is new.
        await api.say(conversation, "It goes on")
        socket = Socket(f"/api/stream/projects/tower?since={told.last_id}", key=key)
        async with socket:
            frames = [await socket.frame() for _ in range(last - 2 + 2)]
        assert frames[-1]["data"]["message"]["content"] == "It goes on"
        assert await in_database(replay.last_number)(project.topic) == last + 1
    finally:
        await in_database(site.__exit__)(None, None, None)


async def test_nothing_that_exists_is_overwritten(api: Api, key: str, tmp_path: Path) -> None:
    conversation = await api.start()
    await in_database(call_command)("backup", tmp_path / "saved")

    with pytest.raises(CommandError, match="exists"):
        await in_database(call_command)("backup", tmp_path / "saved")
    with pytest.raises(CommandError, match="has tables"):
        await in_database(call_command)("restore", tmp_path / "saved")
    assert len(await exported(conversation, key)) == len(FORMATS)


@pytest.mark.django_db(transaction=True)
def test_what_failed_leaves_nothing_that_looks_like_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentpipe.backup._name", lambda: "no_such_database")

    with pytest.raises(CommandError, match=r"pg_dump failed: .*no_such_database"):
        call_command("backup", tmp_path / "saved")

    assert {path.name for path in tmp_path.iterdir()} == {"var"}
    with pytest.raises(CommandError, match="is no backup"):
        call_command("restore", tmp_path / "saved")


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_the_embedded_database_is_started_for_it_unless_it_runs(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = folder
    monkeypatch.delenv("DATABASE_URL")
    with the_database():
        assert ask(folder, "SELECT 1") == 1
    assert not (folder / "postgres" / "postmaster.pid").exists()

    postgres = Postgres(folder, extra_settings=THROWAWAY)
    postgres.start()
    try:
        with the_database():
            assert ask(folder, "SELECT 1") == 1
        assert postgres.is_running()
    finally:
        postgres.stop()
