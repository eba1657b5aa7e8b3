"""Each stage of the road is counted, by every process for itself."""

import logging

import pytest
import structlog

from tests.agentpipe.knocking import knock
from tests.agentpipe.measuring import Growth
from tests.clients import Api, Socket, eventually


async def test_what_is_delivered_is_timed_where_it_is_not_read_up(api: Api, key: str) -> None:
    conversation = await api.start()
    growth = await Growth.since_now(key)
    async with Socket("/api/stream/projects/tower?since=0", key=key) as socket:
        await socket.frame()
        first = await socket.frame()
        assert await growth.of("agentpipe_events_delivered_total") == 1
        assert await growth.of("agentpipe_delivery_seconds_count") == 0

        await api.say(conversation, "Hello")
        await socket.frame()

    assert first["type"] == "conversation.started"
    assert await growth.of("agentpipe_delivery_seconds_count") == 1
    assert 0 <= await growth.of("agentpipe_delivery_seconds_sum") < 60
    assert await growth.of('agentpipe_delivery_seconds_bucket{le="+Inf"}') == 1


async def test_answers_are_counted_by_their_status(api: Api, key: str) -> None:
    growth = await Growth.since_now(key)
    for target in ("/healthz", "/healthz", "/api/nowhere"):
        await knock(target, key=key)

    assert await growth.of('agentpipe_requests_total{status="404"}') == 1
    assert await growth.of('agentpipe_requests_total{status="200"}') >= 2


async def test_open_sockets_are_counted(api: Api, key: str) -> None:
    growth = await Growth.since_now(key)
    async with Socket("/api/stream", key=key) as socket:
        await socket.frame()
        assert await growth.of("agentpipe_sockets") == 1

    async def is_closed() -> bool:
        return await growth.of("agentpipe_sockets") == 0

    await eventually(is_closed)


@pytest.mark.parametrize("way", ["short", "long"])
async def test_refused_events_are_counted(api: Api, key: str) -> None:
    growth = await Growth.since_now(key)
    await api.ingest("message.created", {"content": 1})

    assert await growth.of('agentpipe_ingest_refused_total{status="400"}') == 1


async def test_warnings_are_counted_by_what_they_say(api: Api, key: str) -> None:
    growth = await Growth.since_now(key)
    structlog.get_logger("tower").warning("tower.leans", degrees=4)
    structlog.get_logger("tower").info("tower.stands")
    logging.getLogger("of.others").error("It fell at %s", "noon")

    assert await growth.of('agentpipe_log_lines_total{event="tower.leans",level="warning"}') == 1
    assert await growth.of('agentpipe_log_lines_total{event="of.others",level="error"}') == 1
    assert not any("tower.stands" in name for name in await growth.names())


async def test_what_is_stored_is_measured(api: Api, key: str) -> None:
    await api.start()
    found = (await Growth.since_now(key)).before

    assert 0 < found["agentpipe_log_bytes"] < found["agentpipe_database_bytes"]
    assert found["agentpipe_disk_free_bytes"] > 0
    assert found['agentpipe_database_connections{state="used"}'] >= 1
    assert found['agentpipe_database_errors_total{what="refused"}'] >= 0


async def test_figures_of_this_process_are_there_without_a_database(
    api: Api, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentpipe.storage._SIZES", "SELECT 1 / 0")
    monkeypatch.setattr("agentpipe.jobs._COUNT", "SELECT 1 / 0")

    found = (await Growth.since_now(key)).before

    assert "agentpipe_log_bytes" not in found
    assert found["agentpipe_events_delivered_total"] >= 0
