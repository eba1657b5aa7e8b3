"""What goes wrong is said in JSON, in a sentence, and never with a trace of the program."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from procrastinate.contrib.django import connector_params
from psycopg import sql
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.agentpipe.knocking import Heard, knock, knock_socket, urlconf_with
from tests.clients import Api

KIB = 1024
LIMIT = 1024 * KIB
JSON = {"content-type": "application/json"}
SECRET = "the-password-is-swordfish"


def assert_says(heard: Heard, status: int) -> None:
    assert heard.status == status, heard.body
    assert heard.is_json, heard.headers
    assert heard.error
    for trace in (b"Traceback", b'File "', b".py", b"django", SECRET.encode(), b"<html"):
        assert trace not in heard.body


@pytest.mark.parametrize(
    "target",
    [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/ingest/",
        "/api/conversations/",
        "/api/nothing/x/y/z",
        "/api//ingest",
        "/api/%00",
        "/api/%ff%fe",
        "/api/%f0%9f%97%bc",
        "/api/..%2f..%2fetc/passwd",
        f"/api/{'x' * 8000}",
        "/healthz/",
    ],
)
async def test_an_address_that_is_none_is_404_in_json(target: str, api: Api, key: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert_says(await knock(target, method=method, key=key), 404)


async def test_pages_have_pages_for_errors(api: Api) -> None:
    heard = await knock("/nothing")

    assert heard.status == 404
    assert heard.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("target", "method"),
    [
        ("/api/ingest", "GET"),
        ("/api/ingest", "PUT"),
        ("/api/ingest", "NONSENSE"),
        ("/api/ingest/batch", "DELETE"),
        ("/api/conversations", "POST"),
        ("/api/realtime/stream", "POST"),
        ("/api/realtime/stats", "PATCH"),
        ("/api/stream-tokens", "GET"),
        ("/api/schema", "POST"),
        ("/api/schema", "DELETE"),
        ("/api/docs", "POST"),
        ("/metrics", "POST"),
    ],
)
async def test_a_wrong_method_is_405_and_says_which_are_right(
    target: str, method: str, api: Api, key: str
) -> None:
    heard = await knock(target, method=method, key=key)

    assert_says(heard, 405)
    assert heard.headers["allow"]


@pytest.mark.parametrize("target", ["/api/ingest", "/api/ingest/batch", "/api/stream-tokens"])
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application",
        "",
        ";",
        "ü",
    ],
)
async def test_another_content_type_is_415(
    target: str, content_type: str, api: Api, key: str
) -> None:
    headers = {"content-type": content_type}
    assert_says(await knock(target, method="POST", key=key, headers=headers, body=b"{}"), 415)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
async def test_a_content_type_may_have_parameters_and_capitals(
    content_type: str, api: Api, key: str
) -> None:
    headers = {"content-type": content_type}
    heard = await knock("/api/ingest", method="POST", key=key, headers=headers, body=b"{}")
    assert_says(heard, 400)


@pytest.mark.parametrize("target", ["/api/ingest", "/api/stream-tokens"])
async def test_a_body_of_more_than_a_mebibyte_is_413(target: str, api: Api, key: str) -> None:
    async def post(body: bytes | list[bytes]) -> Heard:
        return await knock(target, method="POST", key=key, headers=JSON, body=body)

    assert_says(await post(b"[]" + b" " * (LIMIT - 2)), 400)
    assert_says(await post(b"[]" + b" " * (LIMIT - 1)), 413)
    assert_says(await post([b"[]", *[b" " * (64 * KIB)] * 17]), 413)
    assert_says(await post([b"[]" + b" " * (LIMIT - 2), b"", b" "]), 413)


async def test_a_batch_of_more_than_16_mebibytes_is_413(api: Api, key: str) -> None:
    async def post(body: list[bytes]) -> Heard:
        return await knock("/api/ingest/batch", method="POST", key=key, headers=JSON, body=body)

    assert (await post([b"[]", *[b" " * LIMIT] * 15])).status == 200
    assert_says(await post([b"[]", *[b" " * LIMIT] * 16]), 413)


async def test_a_body_without_a_length_is_read_like_any_other(api: Api, key: str) -> None:
    parts = [b'{"stream"', b"", b':"project:tower"}']

    heard = await knock("/api/stream-tokens", method="POST", key=key, headers=JSON, body=parts)

    assert heard.status == 201


async def test_more_parameters_than_anyone_needs_are_a_bad_request(api: Api, key: str) -> None:
    query = "&".join(f"a{number}=1" for number in range(1001))

    assert_says(await knock("/api/conversations", query=query, key=key), 400)


class Crash(APIView):
    scope = "read"

    def get(self, request: Request) -> Response:
        raise RuntimeError(SECRET)


def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(SECRET)


class CrashWhileRendering(APIView):
    scope = "read"

    def get(self, request: Request) -> Response:
        return Response({SECRET: object()})


async def test_a_crash_is_500_in_json_and_tells_nothing_of_it(
    api: Api, key: str, settings: Settings
) -> None:
    settings.ROOT_URLCONF = urlconf_with(
        path("api/crash", Crash.as_view()),
        path("api/plain-crash", crash),
        path("api/late-crash", CrashWhileRendering.as_view()),
        path("crash", crash),
    )

    for target in ("/api/crash", "/api/plain-crash", "/api/late-crash"):
        assert_says(await knock(target, key=key), 500)
    page = await knock("/crash")
    assert page.status == 500
    assert SECRET.encode() not in page.body


@pytest.fixture
def no_database(api: Api) -> Iterator[None]:
    """PostgreSQL that sends everybody away and lets nobody in."""
    wrapper: Any = connection
    name = wrapper.settings_dict["NAME"]
    maintenance = {**connector_params(), "dbname": "postgres"}

    def allow(is_allowed: bool) -> None:
        wrapper.close()
        with psycopg.connect(**maintenance, autocommit=True) as superuser:
            command = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
            superuser.execute(command.format(sql.Identifier(name), sql.Literal(is_allowed)))
            superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
        wrapper.close_pool()

    patience_s = wrapper.settings_dict["OPTIONS"]["pool"]["timeout"]
    allow(False)
    wrapper.pool.timeout = 0.2
    yield
    allow(True)
    assert wrapper.pool.timeout == patience_s


async def test_without_a_database_clients_are_told_to_come_back(
    no_database: None, key: str
) -> None:
    for target in ("/api/conversations", f"/api/conversations/{uuid4()}", "/api/realtime/stream"):
        for _ in range(2):
            heard = await knock(target, key=key)
            assert_says(heard, 503)
            assert int(heard.headers["retry-after"]) > 0
    posted = await knock("/api/ingest", method="POST", key=key, headers=JSON, body=b"{}")
    assert_says(posted, 503)
    assert await knock_socket("/api/stream/projects/tower", key=key) == 1013
    assert (await knock("/healthz")).status == 200
    ready = await knock("/readyz")
    assert_says(ready, 503)
    assert ready.json()["checks"]["database"] == "failed"
