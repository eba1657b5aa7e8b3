"""Local mode: whoever sits at this machine is let in, and nobody's web page is."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connections
from pytest_django import Settings

from conversations.models import Project
from streaming import hub
from tests.agentpipe.knocking import knock, knock_socket
from tests.clients import Api

OURS = "http://localhost:8000"
THEIRS = "https://evil.example"


@pytest.fixture(autouse=True)
async def _local(transactional_db: None, settings: Settings) -> AsyncIterator[None]:
    settings.LOCAL_MODE = True
    settings.ALLOWED_HOSTS = ["*"]
    yield
    await hub.close()
    await database_sync_to_async(connections.close_all)()


LOCAL: dict[str, dict[str, Any]] = {
    "by name": {},
    "by IPv4": {"headers": {"host": "127.0.0.1:8000"}},
    "by IPv6": {"headers": {"host": "[::1]:8000"}, "client": "::1"},
    "another loopback address": {"client": "127.8.8.8"},
    "no port": {"headers": {"host": "localhost"}},
    "upper case": {"headers": {"host": "LOCALHOST:8000"}},
    "our own page": {"headers": {"origin": OURS, "sec-fetch-site": "same-origin"}},
    "typed into the address bar": {"headers": {"sec-fetch-site": "none"}},
}
FOREIGN: dict[str, dict[str, Any]] = {
    "a name rebound to this machine": {"headers": {"host": "evil.example:8000"}},
    "a rebound name that looks local": {"headers": {"host": "localhost.evil.example:8000"}},
    "a rebound page": {"headers": {"host": "evil.example", "origin": "http://evil.example"}},
    "all addresses": {"headers": {"host": "0.0.0.0:8000"}},
    "another site": {"headers": {"origin": THEIRS}},
    "another port": {"headers": {"origin": "http://localhost:3000"}},
    "another local name": {"headers": {"origin": "http://127.0.0.1:8000"}},
    "a name that begins like ours": {"headers": {"origin": "http://localhost:8000.evil.example"}},
    "a page without an origin": {"headers": {"origin": "null"}},
    "an empty origin": {"headers": {"origin": ""}},
    "no sensible origin": {"headers": {"origin": "http://[::1"}},
    "an image on another site": {
        "headers": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    },
    "a page of the same site": {"headers": {"sec-fetch-site": "same-site"}},
    "another machine": {"client": "192.168.1.9"},
    "another machine by IPv6": {"client": "fe80::1"},
    "a proxy": {"headers": {"x-forwarded-for": "203.0.113.7"}},
    "a standard proxy": {"headers": {"forwarded": "for=203.0.113.7"}},
    "a proxy that only names the sender": {"headers": {"x-real-ip": "203.0.113.7"}},
    "a proxy that only names the host": {"headers": {"x-forwarded-host": "team.example"}},
    "a proxy that only names itself": {"headers": {"via": "1.1 proxy.example"}},
}


@pytest.mark.parametrize("who", LOCAL)
async def test_someone_at_this_machine_owns_the_default_project(who: str) -> None:
    assert (await knock("/api/conversations", **LOCAL[who])).status == 200
    assert (await knock("/", **LOCAL[who])).status == 200
    stream = await knock("/api/realtime/stream", pieces=1, **LOCAL[who])
    assert b'"type":"connected"' in stream.body
    frame = await knock_socket("/api/stream/projects/default", **LOCAL[who])
    assert isinstance(frame, dict)
    assert frame["type"] == "connected"


@pytest.mark.parametrize("who", FOREIGN)
async def test_whoever_is_not_local_needs_to_be_somebody(who: str) -> None:
    for target in ("/api/conversations", "/api/realtime/stream", "/metrics"):
        heard = await knock(target, **FOREIGN[who])
        assert (heard.status, heard.error) == (401, "Missing Authorization header"), target
    json_headers = {**FOREIGN[who].get("headers", {}), "content-type": "application/json"}
    posted = await knock(
        "/api/stream-tokens",
        method="POST",
        body=b'{"stream":"project:default"}',
        **{**FOREIGN[who], "headers": json_headers},
    )
    assert posted.status == 401
    assert await knock_socket("/api/stream/projects/default", **FOREIGN[who]) == 4401


@pytest.mark.parametrize("host", ["", "[::1", "localhost:8000@evil.example", "local host", "ü"])
async def test_a_host_that_is_none_is_nobody(host: str) -> None:
    heard = await knock("/api/conversations", headers={"host": host})
    assert heard.status in {400, 401}
    assert heard.error
    assert await knock_socket("/api/stream", headers={"host": host}) == 4401


async def test_a_link_on_another_site_leads_to_our_pages() -> None:
    following = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}

    assert (await knock("/", headers=following)).status == 200
    posting = {**following, "content-type": "application/x-www-form-urlencoded"}
    heard = await knock("/api/stream-tokens", method="POST", headers=posting, body=b"stream=x")
    assert heard.status == 401


async def test_a_form_cannot_pretend_to_be_json() -> None:
    """A page of another site may post text without asking first; ours asks for JSON."""
    plain = {"content-type": "text/plain", "origin": OURS}
    heard = await knock("/api/stream-tokens", method="POST", headers=plain, body=b"{}")
    assert heard.status == 415


@pytest.mark.parametrize("target", ["/api/ingest", "/api/ingest/batch"])
async def test_events_want_a_key_even_here(target: str) -> None:
    heard = await knock(target, method="POST", body=b"{}")

    assert (heard.status, heard.error) == (401, "Missing Authorization header")


async def test_a_wrong_key_is_refused_where_none_would_do(project: Project, key: str) -> None:
    heard = await knock("/api/conversations", key="wrong")
    assert (heard.status, heard.error) == (401, "Invalid API key")
    assert await knock_socket("/api/stream", key="wrong") == 4401
    assert (await knock("/api/realtime/stream", query="token=wrong")).status == 401


async def test_a_key_opens_its_own_project_and_not_the_default_one(api: Api) -> None:
    conversation = await api.start()

    assert (await knock(f"/api/conversations/{conversation}")).status == 404
    assert (await api.get(f"/api/conversations/{conversation}")).status_code == 200


async def test_nobody_is_counted_who_needs_no_key(settings: Settings) -> None:
    settings.RATES = {**settings.RATES, "streams": "1/60"}

    for _ in range(3):
        stream = await knock("/api/realtime/stream", pieces=1)
        assert stream.status == 200
        assert "x-ratelimit-limit" not in stream.headers


async def test_elsewhere_being_local_opens_nothing(settings: Settings) -> None:
    settings.LOCAL_MODE = False

    assert (await knock("/api/conversations")).status == 401
    assert await knock_socket("/api/stream") == 4401
