"""Other sites: which of them may call, and what they may read of the answers."""

from typing import Any

import pytest
from pytest_django import Settings

from tests.agentpipe.knocking import knock, knock_socket
from tests.clients import Api

OURS = "http://localhost:8000"
TEAM = "https://team.example"
EVIL = "https://evil.example"
REFUSED = (403, "Origin not allowed")


@pytest.fixture
def _listed(settings: Settings) -> None:
    settings.ALLOWED_ORIGINS = [TEAM]
    settings.CORS_ALLOWED_ORIGINS = [TEAM]


async def answer_from(origin: str | None, **who: Any) -> tuple[int, str | None]:
    headers = {"origin": origin} if origin is not None else {}
    heard = await knock("/api/conversations", headers=headers, **who)
    return heard.status, heard.json().get("error")


@pytest.mark.usefixtures("_listed")
async def test_with_a_list_only_those_origins_and_our_own_may_call(api: Api, key: str) -> None:
    for welcome in (None, TEAM, OURS):
        assert await answer_from(welcome, key=key) == (200, None)
    for other in (EVIL, "null", f"{TEAM}.evil.example", "http://team.example", "http://[", ""):
        assert await answer_from(other, key=key) == REFUSED


async def test_without_a_list_any_origin_may_call_with_a_key(api: Api, key: str) -> None:
    for origin in (None, TEAM, EVIL, OURS, "null", "http://["):
        assert await answer_from(origin, key=key) == (200, None)


@pytest.mark.usefixtures("_listed")
async def test_the_key_is_looked_at_before_the_origin(api: Api) -> None:
    assert await answer_from(EVIL) == (401, "Missing Authorization header")
    assert await answer_from(EVIL, key="ap_wrong") == (401, "Invalid API key")


@pytest.mark.usefixtures("_listed")
async def test_the_origin_is_looked_at_before_the_body(api: Api, key: str) -> None:
    heard = await knock(
        "/api/ingest",
        method="POST",
        key=key,
        headers={"origin": EVIL, "content-type": "text/plain"},
        body=b"{nonsense",
    )
    assert (heard.status, heard.error) == REFUSED


@pytest.mark.usefixtures("_listed")
async def test_sockets_ask_for_the_origin_too(api: Api, key: str) -> None:
    for welcome in (TEAM, OURS):
        frame = await knock_socket("/api/stream", key=key, headers={"origin": welcome})
        assert isinstance(frame, dict)
    for other in (EVIL, "null", "http://["):
        assert await knock_socket("/api/stream", key=key, headers={"origin": other}) == 4403
    assert await knock_socket("/api/stream", key="wrong", headers={"origin": EVIL}) == 4401


@pytest.mark.usefixtures("_listed")
async def test_a_listed_page_may_ask_first_and_read_the_answer(api: Api, key: str) -> None:
    asking = {
        "origin": TEAM,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
    }
    leave = await knock("/api/ingest", method="OPTIONS", headers=asking)
    assert leave.status == 200
    assert leave.headers["access-control-allow-origin"] == TEAM
    assert "POST" in leave.headers["access-control-allow-methods"]
    allowed = set(leave.headers["access-control-allow-headers"].split(", "))
    assert {"authorization", "content-type", "idempotency-key", "last-event-id"} <= allowed
    assert "access-control-allow-credentials" not in leave.headers

    for given in (key, "ap_wrong"):
        answer = await knock("/api/ingest", method="POST", headers={"origin": TEAM}, key=given)
        assert answer.headers["access-control-allow-origin"] == TEAM
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert "X-RateLimit-Remaining" in exposed
        assert "Retry-After" in exposed


@pytest.mark.usefixtures("_listed")
async def test_a_page_that_is_not_listed_may_not(api: Api, key: str) -> None:
    asking = {"origin": EVIL, "access-control-request-method": "POST"}
    leave = await knock("/api/ingest", method="OPTIONS", headers=asking)
    answer = await knock("/api/conversations", headers={"origin": EVIL}, key=key)

    for heard in (leave, answer):
        assert "access-control-allow-origin" not in heard.headers


@pytest.mark.usefixtures("_listed")
async def test_pages_are_not_for_other_sites_to_read(api: Api, key: str) -> None:
    heard = await knock("/", headers={"origin": TEAM}, key=key)

    assert "access-control-allow-origin" not in heard.headers
    assert heard.headers["x-frame-options"] == "DENY"


@pytest.mark.usefixtures("_listed")
async def test_a_stream_can_be_read_by_a_listed_page(api: Api, key: str) -> None:
    heard = await knock("/api/realtime/stream", headers={"origin": TEAM}, key=key, pieces=1)

    assert (heard.status, heard.headers["access-control-allow-origin"]) == (200, TEAM)
