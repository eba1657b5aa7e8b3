"""The doors of imports: what they take, and from whom."""

import gzip
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from conversations.models import Project
from conversations.services import make_key
from tests.agentpipe.knocking import knock, signed_in
from tests.clients import Api
from tests.conversations.imported import (
    JOBS,
    NDJSON,
    a_log,
    counts,
    left_in_the_folder,
    lines,
    sent,
    worked,
)

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", NDJSON, 400),
        (b"{}", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {**NDJSON, "content-encoding": "br"}, 415),
        (b"x" * (2 * 1024 * 1024), NDJSON, 413),
        (gzip.compress(b"x" * (2 * 1024 * 1024)), NDJSON, 413),
    ],
    ids=["nothing", "a form", "another encoding", "too much", "too much unpacked"],
)
async def test_what_is_refused_leaves_nothing(
    api: Api, settings: Settings, content: bytes, headers: dict[str, str], status: int
) -> None:
    settings.IMPORT_LIMIT = 1024 * 1024

    answer = await api.post(JOBS, content=content, headers=headers)

    assert answer.status_code == status, answer.text
    assert (await api.get(JOBS)).json()["items"] == []
    assert left_in_the_folder() == []


async def test_a_body_without_a_length_has_the_same_bounds(key: str, settings: Settings) -> None:
    settings.IMPORT_LIMIT = 1024 * 1024

    heard = await knock(
        JOBS, method="POST", key=key, headers=NDJSON, body=[b"x" * 600_000, b"x" * 600_000]
    )

    assert heard.status == 413


async def test_of_strangers_no_large_body_is_taken(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[int] = []
    monkeypatch.setattr(
        "django.core.handlers.asgi.tempfile.SpooledTemporaryFile",
        lambda **_: SimpleNamespace(
            write=lambda piece: stored.append(len(piece)),
            seek=lambda _: None,
            close=lambda: None,
            read=lambda *_: b"",
        ),
    )

    heard = await knock(
        JOBS, method="POST", key="ap_made-up", headers=NDJSON, body=b"x" * 3_000_000
    )

    assert heard.status == 401
    assert sum(stored) <= 1024 * 1024 + 1


async def test_imports_are_listed_newest_first(api: Api) -> None:
    first, second = await sent(api, b"{}"), await sent(api, b"{}")

    page = (await api.get(f"{JOBS}?page_size=1")).json()

    assert [job["id"] for job in page["items"]] == [second["id"]]
    assert (page["total"], page["has_more"]) == (2, True)
    assert first["id"] != second["id"]


@pytest.fixture
async def reader(project: Project) -> AsyncIterator[Api]:
    make = database_sync_to_async(make_key)
    async with Api((await make(project, "reader", scopes=["read"]))[1]) as reader:
        yield reader


async def test_scopes_are_asked_for(api: Api, reader: Api) -> None:
    job = await sent(api, b"{}")

    assert (await reader.post(JOBS, content=b"{}", headers=NDJSON)).status_code == 403
    assert (await reader.post(f"{JOBS}/{job['id']}/cancel")).status_code == 403
    assert (await reader.get(JOBS)).status_code == 200


async def test_a_member_imports_from_the_browser(api: Api, bob: User) -> None:
    browser = await database_sync_to_async(signed_in)(bob)
    log = lines(a_log("first", 2))
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="log"\r\n\r\n'
    form = {**browser, "content-type": "multipart/form-data; boundary=b"}

    heard = [
        await knock(JOBS, method="POST", headers=form, body=part + log + b"\r\n--b--\r\n"),
        await knock(JOBS, method="POST", headers={**browser, **NDJSON}, body=log),
    ]
    await worked()

    assert [answer.status for answer in heard] == [202, 202], heard
    jobs = (await api.get(JOBS)).json()["items"]
    assert sorted(map(counts, jobs)) == [(0, 5, 0, 0), (5, 0, 0, 0)]


async def test_a_job_is_found_in_its_own_project_only(api: Api, bob: User) -> None:
    job = await sent(api, b"{}")
    await database_sync_to_async(_second_project)(bob)
    browser = await database_sync_to_async(signed_in)(bob)

    assert (await knock(f"{JOBS}/{job['id']}", headers=browser)).status == 200
    elsewhere = f"/api/projects/second/ingest/jobs/{job['id']}"
    assert (await knock(elsewhere, headers=browser)).status == 404
    assert (await knock(f"{JOBS}/{job['id']}%00", headers=browser)).status == 404


def _second_project(member: User) -> None:
    Project.objects.create(slug="second").members.add(member)


async def test_the_rate_of_uploads_is_kept_and_reading_is_free(project: Project) -> None:
    make = database_sync_to_async(make_key)
    async with Api((await make(project, "slow", rates={"upload": "1/60"}))[1]) as slow:
        for _ in range(3):
            assert (await slow.get(JOBS)).status_code == 200
        assert (await slow.post(JOBS, content=b"{}", headers=NDJSON)).status_code == 202
        assert (await slow.post(JOBS, content=b"{}", headers=NDJSON)).status_code == 429
