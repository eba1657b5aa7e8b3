"""A project as a zip file: every conversation once, whole, under a name of its own."""

import csv
import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from conversations.export import archive as archives
from conversations.export.archive import archive
from conversations.models import Conversation, Project
from tests.clients import Api
from tests.conversations.exported import exported, held_up

ADDRESS = "/api/projects/tower/export"


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "PAGE", 2)
    monkeypatch.setattr(archives, "PIECE", 1)


async def zipped(api: Api, address: str = ADDRESS, **query: str) -> zipfile.ZipFile:
    answer = await api.get(address, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    file = zipfile.ZipFile(io.BytesIO(answer.content))
    assert file.testzip() is None
    return file


def index_of(file: zipfile.ZipFile) -> list[dict[str, str]]:
    text = file.read("index.csv").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("count", [0, 1, 2, 5])
async def test_every_conversation_is_in_the_archive_as_by_itself(api: Api, count: int) -> None:
    for number in range(count):
        await api.start(f"s-{number}", name="=A tower")
        await api.say(f"s-{number}", "one", "two")

    file = await zipped(api)

    rows = index_of(file)
    assert [row["id"] for row in rows] == [f"s-{number}" for number in range(count)]
    assert {(row["messages"], row["complete"], row["name"]) for row in rows} == {
        ("2", "yes", "'=A tower") for _ in rows
    }
    for row in rows:
        assert file.read(row["file"]) == (await exported(api, row["id"], "json")).content
    assert len(file.namelist()) == len(set(file.namelist())) == count + 2


async def test_an_archive_holds_the_formats_that_are_asked_for(api: Api) -> None:
    await api.start("s-1", name="A tower")

    file = await zipped(api, format="markdown,html,markdown")

    assert [name for name in file.namelist() if "/" in name] == [
        "conversations/A-tower_s-1.md",
        "conversations/A-tower_s-1.html",
    ]
    for unfit in ("", "json,", "pdf", "json,pdf"):
        answer = await api.get(ADDRESS, params={"format": unfit})
        assert (answer.status_code, answer.json()["field"]) == (400, "format")
    assert (await api.get("/api/projects/nowhere/export")).status_code == 404


async def test_no_two_conversations_share_a_name_on_any_disk(api: Api) -> None:
    ids = ["a", "A", "a-", "a ", "ä", "a\u0308", "../a", "CON", "塔" * 60, "塔" * 61, "a_b", "a~b"]
    for public_id in ids:
        await api.start(public_id, name="Tower")

    names = [row["file"] for row in index_of(await zipped(api))]

    assert len({name.casefold() for name in names}) == len(ids)
    assert {name.count("/") for name in names} == {1}
    assert not [name for name in names if ".." in name or len(name.encode()) > 250]


async def test_the_archive_is_what_unzip_expects(api: Api, tmp_path: Path) -> None:
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("there is no unzip")
    await api.start("s-1", name="Ein Türm 塔")
    await api.say("s-1", "x" * 100_000)
    path = tmp_path / "tower.zip"
    path.write_bytes((await api.get(ADDRESS)).content)

    tested = await sync_to_async(subprocess.run)(
        [unzip, "-t", path], capture_output=True, text=True, check=False
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr


async def test_a_conversation_that_is_deleted_meanwhile_spoils_no_other(api: Api) -> None:
    for number in range(3):
        await api.start(f"s-{number}")
        await api.say(f"s-{number}", *(f"{number} " * 50_000 for _ in range(3)))

    async with held_up(api, ADDRESS, "", pieces=2) as rest:
        doomed = Conversation.objects.filter(public_id__in=["s-0", "s-1"])
        await sync_to_async(doomed.delete)()
        await api.start("s-3")
    file = zipfile.ZipFile(io.BytesIO(await rest()))

    assert file.testzip() is None
    assert [(row["id"], row["complete"]) for row in index_of(file)] == [
        ("s-0", "no"),
        ("s-2", "yes"),
    ]
    kept = next(row["file"] for row in index_of(file) if row["id"] == "s-2")
    assert file.read(kept) == (await exported(api, "s-2", "json")).content


async def test_some_conversations_make_an_archive_too(api: Api, project: Project) -> None:
    for number in range(3):
        await api.start(f"s-{number}")
    some = project.conversations.exclude(public_id="s-1")

    whole = await sync_to_async(lambda: b"".join(archive(some, formats=["jsonl"])))()

    assert [row["id"] for row in index_of(zipfile.ZipFile(io.BytesIO(whole)))] == ["s-0", "s-2"]
