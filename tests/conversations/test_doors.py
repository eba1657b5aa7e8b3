"""Who and what is turned away at the doors of ingest, and in which order."""

import json

import pytest
from asgiref.sync import sync_to_async
from django.conf import LazySettings

from conversations.models import ApiKey, Project
from conversations.services import make_key
from tests.clients import Api, opened, said

DOORS = ["/api/ingest", "/api/ingest/batch"]
JSON = {"Content-Type": "application/json"}


async def limited(api: Api, **rates: str) -> Api:
    def make() -> str:
        return make_key(Project.objects.get(slug="tower"), "limited", rates=rates)[1]

    return Api(await sync_to_async(make)())


@pytest.mark.parametrize("door", DOORS)
async def test_a_stranger_is_told_what_is_missing(api: Api, door: str) -> None:
    for header, message in (
        (None, "Missing Authorization header"),
        ("Basic abc", "Invalid Authorization format. Expected: Bearer <token>"),
        ("Bearer wrong", "Invalid API key"),
    ):
        async with Api(headers={"Authorization": header} if header else {}) as stranger:
            answer = await stranger.post(door, content="{", headers={"Content-Type": "text/plain"})

        assert (answer.status_code, answer.json()) == (401, {"error": message})


async def test_a_key_without_the_scope_is_turned_away(api: Api, project: Project) -> None:
    reader = await sync_to_async(make_key)(project, "reader", scopes=["read"])
    async with Api(reader[1]) as stranger:
        answer = await stranger.ingest("bridge.test", {})

    assert answer.status_code == 403
    assert answer.json().keys() == {"error"}


async def test_a_revoked_key_is_no_key(api: Api, key: str) -> None:
    await ApiKey.objects.aupdate(revoked_at="2026-11-21T10:00:00Z")

    assert (await api.ingest("bridge.test", {})).json() == {"error": "Invalid API key"}


@pytest.mark.parametrize("door", DOORS)
async def test_other_methods_are_answered_in_json(api: Api, door: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await api.request(method, door)

        assert answer.status_code == 405
        assert answer.json().keys() == {"error"}


@pytest.mark.parametrize("door", DOORS)
async def test_other_content_types_are_answered_before_the_body(api: Api, door: str) -> None:
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ):
        answer = await api.post(door, content=b"x" * 17_000_000, headers=headers)

        assert answer.status_code == 415
        assert answer.json().keys() == {"error"}
        assert ("gzip" in answer.json()["error"]) == ("Content-Encoding" in headers)
    typed = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await api.post(door, content="[]", headers=typed)).status_code in {200, 400}


async def test_a_body_has_at_most_a_mebibyte(api: Api) -> None:
    body = json.dumps({"type": "bridge.test", "data": {}}).ljust(1024 * 1024)
    fits = await api.post("/api/ingest", content=body, headers=JSON)
    too_large = await api.post("/api/ingest", content=body + " ", headers=JSON)

    assert (fits.status_code, too_large.status_code) == (200, 413)
    assert too_large.json().keys() == {"error"}


async def test_camel_case_beyond_its_rate_is_told_when_to_come_again(api: Api) -> None:
    async with await limited(api, ingest="2/60") as client:
        first = await client.ingest("conversation.started", opened())
        await client.post("/api/ingest", content="{", headers=JSON)
        refused = await client.ingest("conversation.started", {"nothing": "valid"})
        bad_json = await client.post("/api/ingest", content="{", headers=JSON)

    assert (first.status_code, first.headers["X-RateLimit-Limit"]) == (201, "2")
    assert first.headers["X-RateLimit-Remaining"] == "1"
    assert refused.status_code == 429
    assert refused.json() == {
        "error": "Rate limit exceeded",
        "retryAfter": int(refused.headers["Retry-After"]),
    }
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert bad_json.status_code == 429


async def test_snake_case_beyond_its_rate_is_asked_to_try_again(api: Api) -> None:
    async with await limited(api, ingest="1/60", bridge="2/60") as client:
        statuses = [(await client.ingest("bridge.test", {})).status_code for _ in range(3)]
        refused = await client.ingest("message.created", said("s-1", "Steel"))

    assert statuses == [200, 200, 503]
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["X-RateLimit-Limit"] == "2"


async def test_a_batch_counts_once(api: Api) -> None:
    events = [{"type": "bridge.test", "data": {}}] * 10
    async with await limited(api, ingest="2/60", bridge="1/60") as client:
        answers = [await client.post("/api/ingest/batch", json=events) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_a_foreign_origin_is_refused_where_origins_are_named(
    api: Api, settings: LazySettings
) -> None:
    settings.ALLOWED_ORIGINS = ["https://tower.example"]
    for origin, status in (
        ("https://elsewhere.example", 403),
        ("https://tower.example", 200),
        ("http://localhost:8000", 200),
    ):
        body = {"type": "bridge.test", "data": {}}
        answer = await api.post("/api/ingest", json=body, headers={"Origin": origin})

        assert answer.status_code == status
    refused = await api.post("/api/ingest", content="", headers={"Origin": "https://x.example"})
    assert (refused.status_code, refused.json()) == (403, {"error": "Origin not allowed"})
