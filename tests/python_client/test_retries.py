"""When a request is sent again, and that it is the same request."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from agentpipe_client import (
    AgentPipe,
    AsyncAgentPipe,
    NotAuthenticated,
    Patience,
    RateLimited,
    Refused,
    ServerFailed,
    Unreachable,
)
from agentpipe_client.retries import Attempts, retry_after_s
from tests.python_client.scripted import HangsUp, Says, scripted

AT_ONCE = Patience(first_wait_s=0.001)
STUMBLES = (HangsUp(), Says(503), Says(500), Says(429, headers={"Retry-After": "0"}))


def test_the_same_bytes_go_again_under_the_same_key() -> None:
    with (
        scripted(*STUMBLES, Says(201, {"messageId": "m"})) as server,
        AgentPipe(server.url, "key", patience=AT_ONCE) as client,
    ):
        assert client.send_event("bridge.test", {"message": "Hé"}) == {"messageId": "m"}

    assert len(server.asked) == 5
    assert len({asked.body for asked in server.asked}) == 1
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 1
    assert server.asked[0].headers["Authorization"] == "Bearer key"


async def test_the_asynchronous_client_does_the_same() -> None:
    with scripted(*STUMBLES, Says(201, {"messageId": "m"})) as server:
        async with AsyncAgentPipe(server.url, "key", patience=AT_ONCE) as client:
            assert await client.send_event("bridge.test", {}) == {"messageId": "m"}

    assert len(server.asked) == 5
    assert len({(asked.body, asked.headers["Idempotency-Key"]) for asked in server.asked}) == 1


def test_two_events_have_two_keys() -> None:
    with scripted(Says(200, {"success": True})) as server, AgentPipe(server.url, "key") as client:
        for _ in range(2):
            client.send_event("bridge.test", {})

    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 2


def test_what_is_refused_is_sent_once_and_says_why() -> None:
    body = {
        "error": "Validation failed",
        "message": "Required",
        "field": "data.mode",
        "details": [{"path": ["data", "mode"], "message": "Required", "code": "required"}],
    }
    with (
        scripted(Says(400, body)) as server,
        AgentPipe(server.url, "key") as client,
        pytest.raises(Refused, match=r"data\.mode: Required \(400\)") as caught,
    ):
        client.send_event("conversation.started", {})

    assert len(server.asked) == 1
    assert (caught.value.error, caught.value.field) == ("Validation failed", "data.mode")
    assert caught.value.details[0]["code"] == "required"


@pytest.mark.parametrize(
    ("status", "error", "attempts"),
    [(401, NotAuthenticated, 1), (429, RateLimited, 3), (503, ServerFailed, 3)],
)
def test_patience_ends_with_the_error_of_the_last_answer(
    status: int, error: type[Exception], attempts: int
) -> None:
    patience = Patience(attempts=3, first_wait_s=0.001)
    with (
        scripted(Says(status, b"<html>")) as server,
        AgentPipe(server.url, "key", patience=patience) as client,
        pytest.raises(error),
    ):
        client.conversation("tower")

    assert len(server.asked) == attempts


def test_nobody_there_is_said_as_such() -> None:
    with scripted(Says()) as server:
        url = server.url
    patience = Patience(attempts=2, first_wait_s=0.001)
    with AgentPipe(url, "key", patience=patience) as client, pytest.raises(Unreachable):
        client.conversation("tower")


def test_retry_after_is_seconds_or_a_date_of_the_servers_clock() -> None:
    its_now = datetime(2020, 1, 1, tzinfo=UTC)
    its_date = format_datetime(its_now, usegmt=True)
    later = format_datetime(its_now + timedelta(seconds=7), usegmt=True)

    assert retry_after_s(httpx.Response(429, headers={"Retry-After": "12"})) == 12
    assert retry_after_s(httpx.Response(503, headers={"Retry-After": later, "Date": its_date})) == 7
    assert retry_after_s(httpx.Response(503, headers={"Retry-After": its_date})) == 0
    assert retry_after_s(httpx.Response(503, headers={"Retry-After": "soon"})) is None


def test_a_server_that_asks_for_an_hour_is_not_waited_for() -> None:
    attempts = Attempts(Patience())

    assert attempts.pause_after(httpx.Response(429, headers={"Retry-After": "60"})) == 60
    assert attempts.pause_after(httpx.Response(429, headers={"Retry-After": "3600"})) is None


def test_pauses_grow_within_bounds_and_are_never_in_step() -> None:
    patience = Patience(first_wait_s=1, longest_wait_s=10)
    pauses = [[patience.backoff_s(attempt) for _ in range(200)] for attempt in (1, 3, 99)]

    assert max(pauses[0]) <= 1 < max(pauses[1]) <= 4 < max(pauses[2]) <= 10
    assert min(pauses[2]) < 5
