"""What followers hear of an import."""

import pytest

from conversations.upload import imports
from tests.clients import Api, Socket
from tests.conversations.imported import (
    a_log,
    lines,
    sent,
    shown,
    small_batches,
    worked,
)

pytestmark = pytest.mark.usefixtures("own_folder")


async def test_a_follower_of_the_project_hears_of_the_import_and_of_its_messages(
    api: Api, key: str
) -> None:
    async with Socket("/api/stream/projects/tower", key=key) as socket:
        await socket.frame()
        job = await sent(api, lines(a_log("first", 2)))
        await worked()
        frames = await socket.frames(9)

    kinds = [frame["type"] for frame in frames]
    assert kinds[:2] == ["ingest.job.created", "ingest.job.updated"]
    assert kinds.count("message.created") == 2
    assert kinds[-1] == "ingest.job.completed"
    assert frames[-1]["job"] == await shown(api, job)


async def test_the_socket_of_an_import_begins_with_its_present_state(api: Api, key: str) -> None:
    job = await sent(api, lines(a_log("first", 2)))
    address = f"/api/stream/projects/tower/ingest/{job['id']}"
    async with Socket(address, key=key) as socket:
        assert (await socket.frame())["type"] == "connected"
        assert await socket.frame() == {"type": "ingest.job.updated", "job": job}
        await worked()
        frames = await socket.frames(3)

    assert [frame["type"] for frame in frames] == [
        "ingest.job.updated",
        "ingest.job.updated",
        "ingest.job.completed",
    ]
    async with Socket(f"{address}?since={frames[0]['id']}", key=key) as socket:
        assert (await socket.frame())["type"] == "connected"
        assert await socket.frames(2) == frames[1:]
    async with Socket(f"/api/stream/projects/tower/ingest/{'c' * 25}", key=key) as socket:
        assert await socket.closed_with() == 4404


async def test_progress_is_told_at_most_ten_times_a_second(
    api: Api, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    small_batches(monkeypatch)
    monkeypatch.setattr(imports, "TOLD_EVERY_S", 3600)
    job = await sent(api, lines(a_log("first")))
    await worked()
    async with Socket(f"/api/stream/projects/tower/ingest/{job['id']}?since=0", key=key) as socket:
        await socket.frame()
        kinds = [frame["type"].rpartition(".")[2] for frame in await socket.frames(4)]

    assert kinds == ["created", "updated", "updated", "completed"]
