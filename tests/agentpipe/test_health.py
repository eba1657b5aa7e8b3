"""Alive, ready, and how it is doing."""

import pytest
from channels.db import database_sync_to_async
from channels.layers import InMemoryChannelLayer
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from procrastinate.contrib.django import app as jobs
from pytest_django import Settings

from conversations.models import Project
from conversations.services import make_key
from tests.agentpipe.knocking import knock, signed_in
from tests.agentpipe.measuring import measured
from tests.clients import Api, Socket, said

OK = {"database": "ok", "migrations": "ok", "channel_layer": "ok"}


async def test_a_server_that_runs_is_alive_and_ready(api: Api) -> None:
    alive, ready = await knock("/healthz"), await knock("/readyz")

    assert (alive.status, alive.json()) == (200, {"status": "ok"})
    assert (ready.status, ready.json()) == (200, {"status": "ok", "checks": OK})


@pytest.mark.parametrize("target", ["/healthz", "/readyz"])
async def test_health_is_asked_for_and_not_told(target: str, api: Api) -> None:
    assert (await knock(target, method="HEAD")).status == 200
    posted = await knock(target, method="POST", body=b"{}")
    assert (posted.status, posted.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("target", ["/healthz", "/readyz", "/metrics"])
async def test_probes_ask_a_process_by_its_address(
    target: str, api: Api, key: str, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = ["agents.example"]
    by_address = {"host": "10.1.2.3:8000"}

    assert (await knock(target, key=key, headers=by_address)).status == 200
    assert (await knock("/api/conversations", key=key, headers=by_address)).status == 400
    page = await knock("/login", headers=by_address)
    assert page.status == 400
    assert b"AGENTPIPE_ALLOWED_HOSTS" in page.body


class DeadLayer(InMemoryChannelLayer):
    async def group_send(self, group: str, message: object) -> None:
        raise OSError("the password is swordfish")


async def test_a_server_whose_channel_layer_takes_nothing_is_not_ready(
    api: Api, settings: Settings
) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": f"{__name__}.DeadLayer"}}

    ready = await knock("/readyz")

    assert ready.status == 503
    assert ready.json()["checks"] == {**OK, "channel_layer": "failed"}
    assert b"swordfish" not in ready.body
    assert (await knock("/healthz")).status == 200


async def test_a_server_with_missing_tables_is_not_ready(api: Api) -> None:
    migrate = database_sync_to_async(call_command)
    await migrate("migrate", "sessions", "zero", verbosity=0)
    try:
        ready = await knock("/readyz")
    finally:
        await migrate("migrate", verbosity=0)

    assert ready.status == 503
    assert ready.json()["checks"] == {**OK, "migrations": "failed"}
    assert (await knock("/readyz")).status == 200


async def test_the_metrics_count_who_is_connected(api: Api, key: str) -> None:
    async with Socket("/api/stream/projects/tower", key=key) as socket:
        await socket.frame()
        heard = await knock("/metrics", key=key)
        stats = (await api.get("/api/realtime/stats")).json()

    assert heard.headers["content-type"].startswith("text/plain")
    assert b'agentpipe_connections{transport="socket"} 1.0' in heard.body
    assert stats["connections"]["socket"] == 1


async def test_the_metrics_count_what_came_in_and_what_of_it_was_new(api: Api, key: str) -> None:
    before = await measured(key)
    conversation = await api.start()
    message = said(conversation, "Hello")
    for _ in range(2):
        await api.ingest("message.created", message)
    after = await measured(key)

    def growth(name: str) -> float:
        return after[f"agentpipe_ingest_{name}"] - before.get(f"agentpipe_ingest_{name}", 0)

    assert [growth("received_total"), growth("stored_total"), growth("seconds_count")] == [3, 2, 3]


async def test_the_metrics_tell_of_jobs_that_wait(api: Api, key: str) -> None:
    @transaction.atomic
    def queue() -> None:
        for delay in (0, 3600):
            jobs.configure_task("tests.nothing", schedule_in={"seconds": delay}).defer()

    await database_sync_to_async(queue)()
    found = await measured(key)
    await database_sync_to_async(_forget_jobs)()

    assert found['agentpipe_jobs_waiting{task="tests.nothing"}'] == 1
    assert found['agentpipe_jobs_running{task="tests.nothing"}'] == 0
    assert 0 <= found['agentpipe_jobs_oldest_seconds{task="tests.nothing"}'] < 60


def _forget_jobs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'tests.nothing'")


async def test_the_metrics_are_for_keys_that_read_and_for_staff(
    api: Api, alice: User, project: Project
) -> None:
    def callers() -> list[dict[str, str]]:
        staff = User.objects.create_user("staff", is_staff=True)
        return [signed_in(alice), signed_in(staff)]

    member, staff = await database_sync_to_async(callers)()
    _, cli = await database_sync_to_async(make_key)(project, "cli", scopes=["ingest"])

    assert (await knock("/metrics")).status == 401
    assert (await knock("/metrics", key=cli)).status == 403
    assert (await knock("/metrics", headers=member)).status == 403
    assert (await knock("/metrics", headers=staff)).status == 200


@pytest.mark.parametrize("target", ["/api/schema", "/api/docs", "/healthz", "/readyz", "/login"])
async def test_what_is_open_needs_no_key_and_takes_any(target: str, api: Api) -> None:
    for given in (None, "ap_wrong"):
        assert (await knock(target, key=given)).status == 200
