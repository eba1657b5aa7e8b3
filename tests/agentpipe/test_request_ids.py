"""Requests have ids, in the log and in their answers."""

import re

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from agentpipe import health
from tests.agentpipe.knocking import knock
from tests.clients import Api, Socket, sse


async def test_every_answer_has_an_id_of_its_own(api: Api, key: str) -> None:
    found = [(await knock("/healthz")).headers["x-request-id"] for _ in range(2)]
    async with sse("/api/realtime/stream", key=key) as stream:
        found.append(stream.headers["x-request-id"])

    assert len(set(found)) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in found)


async def test_what_a_proxy_has_called_it_is_kept(api: Api) -> None:
    given = {"x-request-id": "edge-7.1"}

    assert (await knock("/healthz", headers=given)).headers["x-request-id"] == "edge-7.1"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "é"])
async def test_what_is_no_name_is_not(given: str, api: Api) -> None:
    answer = await knock("/healthz", headers={"x-request-id": given})

    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


async def test_a_socket_is_told_its_own_when_it_is_taken(key: str, api: Api) -> None:
    socket = Socket("/api/stream", key=key, headers={"x-request-id": "edge-8"})
    await socket.send_input({"type": "websocket.connect"})

    accepted = await socket.receive_output()

    assert (b"x-request-id", b"edge-8") in accepted["headers"]
    await socket.disconnect()


async def test_what_the_log_says_of_a_request_names_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError

    monkeypatch.setitem(health.CHECKS, "database", fail)
    with capture_logs(processors=[merge_contextvars]) as lines:
        await knock("/readyz", headers={"x-request-id": "edge-9"})

    assert [line["request"] for line in lines if line["event"] == "not_ready"] == ["edge-9"]
