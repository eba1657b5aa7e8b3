"""A file that is sent twice under one Idempotency-Key is one job."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from conversations.models import IngestJob, Receipt
from tests.clients import Api
from tests.conversations.imported import JOBS, NDJSON, a_log, lines, sent, worked

pytestmark = pytest.mark.usefixtures("own_folder")


async def test_a_file_that_is_sent_again_under_its_key_is_the_same_job(
    api: Api, tmp_path: Path
) -> None:
    content, key = lines(a_log("first", 3)), {"idempotency-key": "k-1"}
    first = await sent(api, content, **key)

    waiting = await sent(api, content, **key)
    await worked()
    done = await sent(api, content, **key)
    other = await sent(api, content, **{"idempotency-key": "k-2"})

    assert waiting == first
    assert (done["id"], done["status"]) == (first["id"], "completed")
    assert other["id"] != first["id"]
    assert [path.name for path in (tmp_path / "imports").iterdir()] == [other["id"]]


async def test_a_key_stands_for_one_file(api: Api, tmp_path: Path) -> None:
    key = {"idempotency-key": "k-1"}
    first = await sent(api, lines(a_log("first", 3)), **key)

    answer = await api.post(JOBS, content=lines(a_log("other", 3)), headers={**NDJSON, **key})

    assert (answer.status_code, answer.json().keys()) == (422, {"error"})
    assert [path.name for path in (tmp_path / "imports").iterdir()] == [first["id"]]


async def test_a_key_is_forgotten_after_a_day(api: Api) -> None:
    content, key = lines(a_log("first", 3)), {"idempotency-key": "k-1"}
    first = await sent(api, content, **key)

    yesterday = timezone.now() - timedelta(hours=25)
    await database_sync_to_async(Receipt.objects.update)(created_at=yesterday)

    assert (await sent(api, content, **key))["id"] != first["id"]


async def test_requests_that_race_under_one_key_make_one_job(api: Api) -> None:
    content, key = lines(a_log("first", 3)), {"idempotency-key": "k-1"}

    jobs = await asyncio.gather(*(sent(api, content, **key) for _ in range(6)))

    assert len({job["id"] for job in jobs}) == 1
    assert await database_sync_to_async(IngestJob.objects.count)() == 1
