"""Workers come and go, and imports are stopped by hand: nothing is recorded twice or lost."""

import json
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import JobAborted

from conversations.models import IngestJob
from conversations.upload import files, tasks
from tests.clients import Api
from tests.conversations.imported import (
    JOBS,
    a_log,
    counts,
    imported,
    left_in_the_folder,
    lines,
    sent,
    shown,
    small_batches,
    work,
    worked,
)

pytestmark = pytest.mark.usefixtures("own_folder")


async def test_an_import_goes_on_where_it_was_stopped(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    job = await sent(api, lines([*a_log("first"), "bad"]))
    stops = iter([False, False, True])
    with pytest.raises(JobAborted):
        await worked(lambda: next(stops))
    halfway = await shown(api, job)

    await worked()

    assert (halfway["status"], halfway["processed"]) == ("running", 6)
    assert 0 < halfway["percentage"] < 100
    done = await shown(api, job)
    assert (done["processed"], counts(done)) == (24, (23, 0, 0, 1))
    assert done["errors"][0]["line"] == 24
    assert (await api.conversation("first"))["totalMessages"] == 20


@pytest.mark.parametrize("indent", [None, 2])
async def test_an_array_goes_on_where_it_was_stopped(
    api: Api, monkeypatch: pytest.MonkeyPatch, indent: int | None
) -> None:
    small_batches(monkeypatch)
    job = await sent(api, json.dumps([*a_log("first"), "bad"], indent=indent).encode())
    stops = iter([False, False, True])
    with pytest.raises(JobAborted):
        await worked(lambda: next(stops))

    await worked()

    assert counts(await shown(api, job)) == (23, 0, 0, 1)


async def test_of_two_workers_on_one_import_one_gives_way(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second works off a batch while the first stands before the same."""
    small_batches(monkeypatch)
    job = await sent(api, lines(a_log("first")))
    asked = 0

    def overtaken() -> bool:
        nonlocal asked
        asked += 1
        if asked == 3:
            stops = iter([False, True])
            with pytest.raises(JobAborted):
                work(lambda: next(stops))
        return False

    await worked(overtaken)

    assert (await shown(api, job))["processed"] == 9
    await worked()
    done = await shown(api, job)
    assert (done["processed"], counts(done)) == (23, (23, 0, 0, 0))
    assert (await api.conversation("first"))["totalMessages"] == 20


async def test_a_batch_and_how_far_it_brings_the_job_are_one(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies after recording and before it says so has recorded nothing."""
    small_batches(monkeypatch)
    job = await sent(api, lines(a_log("first")))
    save = IngestJob.save

    def die(self: IngestJob, *args: Any, **options: Any) -> None:
        if self.processed >= 9:
            raise SystemExit
        save(self, *args, **options)

    with monkeypatch.context() as dying:
        dying.setattr(IngestJob, "save", die)
        with pytest.raises(SystemExit):
            await worked()
    halfway = await shown(api, job)
    assert halfway["processed"] == 6
    assert (await api.conversation("first"))["totalMessages"] == 4

    await worked()

    assert counts(await shown(api, job)) == (23, 0, 0, 0)


async def test_a_file_that_is_gone_fails_its_import(api: Api) -> None:
    job = await sent(api, lines(a_log("first")))
    files.remove(job["id"])

    await worked()

    failed = await shown(api, job)
    assert (failed["status"], failed["errors"][0]["line"]) == ("failed", None)


async def test_the_file_goes_when_the_import_is_over(api: Api, tmp_path: Path) -> None:
    await sent(api, lines(a_log("first")))
    (waiting,) = (tmp_path / "imports").iterdir()
    assert waiting.stat().st_mode & 0o777 == 0o600

    await worked()

    assert left_in_the_folder() == []


async def test_what_was_forgotten_is_swept_up(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "RECEIVED_WITHIN_S", -1)
    await sent(api, lines(a_log("first")))
    (wanted,) = left_in_the_folder()
    (tmp_path / "imports" / "left.part").touch()

    def lose_the_job() -> None:
        ProcrastinateJob.objects.all()._raw_delete("default")

    def queued() -> int:
        return ProcrastinateJob.objects.filter(task_name=tasks.import_file.name).count()

    await database_sync_to_async(lose_the_job)()
    await database_sync_to_async(tasks.sweep_imports)(0)

    assert left_in_the_folder() == [wanted]
    assert await database_sync_to_async(queued)() == 1


async def test_who_comes_while_one_sweeps_is_not_queued_twice(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = tasks._queued

    def and_then_one_comes() -> list[int]:
        found = queued()
        async_to_sync(sent)(api, lines(a_log("first")))
        with connection.cursor() as cursor:
            # And a worker has it.
            cursor.execute(
                "UPDATE procrastinate_jobs SET status = 'doing' WHERE task_name = %s",
                [tasks.import_file.name],
            )
        return found

    monkeypatch.setattr(tasks, "_queued", and_then_one_comes)
    await database_sync_to_async(tasks.sweep_imports)(0)

    newest = await IngestJob.objects.order_by("pk").alast()
    assert newest
    found = ProcrastinateJob.objects.filter(
        task_name=tasks.import_file.name, args={"job_id": newest.pk}
    )
    assert [job.status async for job in found] == ["doing"]


async def test_a_cancelled_import_stops_and_keeps_what_it_has(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    job = await sent(api, lines(a_log("first")))
    stops = iter([False, False, True])
    with pytest.raises(JobAborted):
        await worked(lambda: next(stops))

    answer = await api.post(f"{JOBS}/{job['id']}/cancel")
    await worked()

    assert (answer.status_code, answer.json()["job"]["status"]) == (200, "cancelled")
    found = await shown(api, job)
    assert (found["status"], found["processed"]) == ("cancelled", 6)
    assert found["finished_at"]
    assert left_in_the_folder() == []
    again = await api.post(f"{JOBS}/{job['id']}/cancel")
    assert (again.status_code, "error" in again.json()) == (409, True)


async def test_a_worker_in_the_middle_of_a_cancelled_import_stops(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    job = await sent(api, lines(a_log("first")))
    asked = 0

    def cancel_meanwhile() -> bool:
        nonlocal asked
        asked += 1
        if asked == 3:
            IngestJob.objects.update(status="cancelled")
        return False

    await worked(cancel_meanwhile)

    assert (await shown(api, job))["processed"] == 6


async def test_a_finished_import_cannot_be_cancelled(api: Api) -> None:
    job = await imported(api, lines(a_log("first")))

    assert (await api.post(f"{JOBS}/{job['id']}/cancel")).status_code == 409
