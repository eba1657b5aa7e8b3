"""How often: what is counted, what is shown of it, and what happens above the limit."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from limits.storage import MemoryStorage
from pytest_django import Settings

from agentpipe.api import throttling
from conversations.models import Conversation, Project
from conversations.services import make_key
from tests.agentpipe.knocking import Heard, knock, knock_socket, signed_in
from tests.clients import Api, opened, said, started
from tests.services import GivenRedis, RedisServer, url_of

LIMIT, REMAINING, RESET = "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"
OPENED = {"type": "conversation.started", "data": opened()}


@pytest.fixture
def limited(project: Project, api: Api) -> str:
    """A key without rates of its own."""
    return make_key(project, "limited")[1]


@pytest.fixture(autouse=True)
def _asked_at_once() -> Iterator[None]:
    throttling._rests_until = 0.0
    yield
    throttling._rests_until = 0.0
    if throttling._shared_limiter.cache_info().currsize:
        storage: Any = throttling._shared_limiter().storage
        storage.storage.connection_pool.disconnect()


async def key_with(project: Project, **rates: str) -> str:
    _, secret = await database_sync_to_async(make_key)(project, "own rates", rates=rates)
    return str(secret)


async def post(body: Any, *, key: str, target: str = "/api/ingest", **headers: str) -> Heard:
    return await knock(
        target,
        method="POST",
        key=key,
        headers={"content-type": "application/json", **headers},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )


def remaining(heard: Heard) -> int:
    assert heard.headers[LIMIT].isdigit()
    reset = datetime.fromisoformat(heard.headers[RESET])
    assert timezone.now() - timedelta(seconds=2) < reset < timezone.now() + timedelta(seconds=61)
    return int(heard.headers[REMAINING])


async def test_the_first_answer_says_99_and_each_one_less(limited: str) -> None:
    answers = [await post(OPENED, key=limited) for _ in range(3)]

    assert [(heard.status, heard.headers[LIMIT]) for heard in answers] == [(201, "100")] * 3
    assert [remaining(heard) for heard in answers] == [99, 98, 97]


async def test_what_is_refused_at_the_door_shows_the_rate_and_does_not_count(
    limited: str, project: Project, settings: Settings
) -> None:
    settings.ALLOWED_ORIGINS = ["https://team.example"]

    wrong_type = await post(OPENED, key=limited, **{"content-type": "text/plain"})
    too_large = await post(b" " * (1024 * 1024 + 1), key=limited)
    wrong_origin = await post(OPENED, key=limited, origin="https://evil.example")
    wrong_method = await knock("/api/ingest", key=limited)

    answers = [wrong_type, too_large, wrong_origin, wrong_method]
    assert [heard.status for heard in answers] == [415, 413, 403, 405]
    assert [remaining(heard) for heard in answers] == [100] * 4
    assert remaining(await post(OPENED, key=limited)) == 99


async def test_a_key_without_the_scope_sees_its_rate_and_is_not_counted(project: Project) -> None:
    _, reader = await database_sync_to_async(make_key)(project, "reader", scopes=["read"])

    answers = [await post(OPENED, key=reader) for _ in range(2)]

    assert [heard.status for heard in answers] == [403, 403]
    assert [remaining(heard) for heard in answers] == [100, 100]


async def test_a_wrong_key_sees_no_rate(limited: str) -> None:
    heard = await post(OPENED, key="ap_wrong")

    assert heard.status == 401
    assert LIMIT not in heard.headers


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{nonsense", 400),
        ({"type": "no.such"}, 400),
        ({"type": "message.created"}, 400),
        ([], 400),
    ],
)
async def test_what_is_read_and_refused_counts(body: Any, status: int, limited: str) -> None:
    answers = [await post(body, key=limited) for _ in range(2)]

    assert [heard.status for heard in answers] == [status, status]
    assert [remaining(heard) for heard in answers] == [99, 98]


async def test_above_the_limit_the_answer_is_429_and_says_when_to_come_back(
    project: Project, api: Api
) -> None:
    key = await key_with(project, ingest="2/60")
    for _ in range(2):
        assert (await post(OPENED, key=key)).status == 201
    count = await Conversation.objects.acount()

    over = await post(OPENED, key=key)

    wait_s = int(over.headers["retry-after"])
    assert over.status == 429
    assert over.json() == {"error": "Rate limit exceeded", "retryAfter": wait_s}
    assert 1 <= wait_s <= 60
    assert remaining(over) == 0
    assert over.headers[LIMIT] == "2"
    assert await Conversation.objects.acount() == count


async def test_after_the_wait_one_is_let_in_again(project: Project, api: Api) -> None:
    key = await key_with(project, ingest="1/1")
    answers = [await post(OPENED, key=key)]
    while answers[-1].status == 201:
        answers.append(await post(OPENED, key=key))
    assert answers[-1].status == 429

    until = datetime.fromisoformat(answers[-1].headers[RESET])
    while timezone.now() < until:
        await knock("/healthz")

    assert (await post(OPENED, key=key)).status == 201


async def test_the_command_line_tool_is_told_to_try_again_and_never_429(
    project: Project, api: Api
) -> None:
    key = await key_with(project, bridge="2/60", ingest="1/60")
    conversation = str(uuid4())
    start = {"type": "conversation.started", "data": started(conversation)}
    message = {"type": "message.created", "data": said(conversation, "Stone")}
    assert [(await post(event, key=key)).status for event in (start, message)] == [201, 201]

    over = await post(message, key=key)

    assert over.status == 503
    assert over.json() == {
        "error": "Rate limit exceeded",
        "retryAfter": int(over.headers["retry-after"]),
    }
    assert over.headers[LIMIT] == "2"
    # The other dialect has a count of its own.
    assert (await post(OPENED, key=key)).status == 201
    assert (await post(OPENED, key=key)).status == 429


async def test_the_command_line_tool_has_a_limit_of_its_own(limited: str) -> None:
    heard = await post({"type": "bridge.test", "data": {}}, key=limited)

    assert (heard.headers[LIMIT], remaining(heard)) == ("6000", 5999)


async def test_a_batch_counts_once_and_against_ingest(limited: str) -> None:
    events = [{"type": "conversation.started", "data": started(str(uuid4()))} for _ in range(5)]

    first = await post(events, key=limited, target="/api/ingest/batch")
    second = await post(OPENED, key=limited)

    assert first.json()["accepted"] == 5
    assert [remaining(first), remaining(second)] == [99, 98]


async def test_a_rate_of_0_is_no_limit_and_is_not_shown(
    project: Project, limited: str, settings: Settings
) -> None:
    unlimited = await key_with(project, ingest="0")
    assert LIMIT not in (await post(OPENED, key=unlimited)).headers

    settings.RATES = {**settings.RATES, "ingest": "0"}
    assert LIMIT not in (await post(OPENED, key=limited)).headers


async def test_keys_are_counted_apart(project: Project, limited: str) -> None:
    other = await key_with(project)

    assert remaining(await post(OPENED, key=limited)) == 99
    assert remaining(await post(OPENED, key=other)) == 99


async def test_the_key_of_the_environment_is_counted_too(api: Api, settings: Settings) -> None:
    settings.BRIDGE_API_KEY = "of-the-environment"

    assert remaining(await post(OPENED, key="of-the-environment")) == 99


async def test_opening_streams_is_counted_over_http_and_sockets_together(
    project: Project, api: Api
) -> None:
    key = await key_with(project, streams="2/60")

    stream = await knock("/api/realtime/stream", key=key, pieces=1)
    assert (stream.status, remaining(stream)) == (200, 1)
    assert isinstance(await knock_socket("/api/stream/projects/tower", key=key), dict)

    assert (await knock("/api/realtime/stream", key=key)).status == 429
    for path in ("/api/stream/projects/tower", "/api/stream", "/api/stream/nowhere"):
        assert await knock_socket(path, key=key) == 4408
    assert (await knock("/api/conversations", key=key)).status == 200


async def test_a_signed_in_user_is_counted_by_name(alice: User, bob: User, api: Api) -> None:
    sessions = [await database_sync_to_async(signed_in)(user) for user in (alice, alice, bob)]

    answers = [
        await knock("/api/realtime/stream", headers=session, pieces=1) for session in sessions
    ]

    assert [remaining(heard) for heard in answers] == [599, 598, 599]


ELSEWHERE = """
import asyncio, django
django.setup()
from tests.clients import Api, opened

async def main():
    async with Api({key!r}) as api:
        for _ in range(3):
            answer = await api.ingest("conversation.started", opened())
            print(answer.status_code, answer.headers["x-ratelimit-remaining"])

asyncio.run(main())
"""


@pytest.mark.processes
async def test_processes_count_together_over_redis(
    project: Project, api: Api, redis_server: RedisServer | GivenRedis, settings: Settings
) -> None:
    redis_server.start()
    settings.REDIS_URL = redis_server.url
    key = await key_with(project, ingest="5/60")
    first = await post(OPENED, key=key)

    process = await database_sync_to_async(subprocess.run)(
        [sys.executable, "-c", ELSEWHERE.format(key=key)],
        env={
            "DJANGO_SETTINGS_MODULE": "agentpipe.settings",
            "AGENTPIPE_DATA_DIR": str(django_settings.DATA_DIR),
            "AGENTPIPE_SECRET_KEY": django_settings.SECRET_KEY,
            "DATABASE_URL": url_of(connection.settings_dict),
            "REDIS_URL": redis_server.url,
        },
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    last, over = [await post(OPENED, key=key) for _ in range(2)]

    assert remaining(first) == 4
    assert process.stdout.split("\n")[:3] == ["201 3", "201 2", "201 1"], process.stderr
    assert (last.status, remaining(last)) == (201, 0)
    assert over.status == 429


async def test_without_redis_nobody_is_refused_and_with_it_counting_goes_on(
    project: Project, api: Api, redis_server: RedisServer | GivenRedis, settings: Settings
) -> None:
    redis_server.start()
    settings.REDIS_URL = redis_server.url
    key = await key_with(project, ingest="2/60", streams="2/60")
    await post(OPENED, key=key)

    redis_server.stop()
    try:
        without = await post(OPENED, key=key)
        socket = await knock_socket("/api/stream/projects/tower", key=key)
    finally:
        redis_server.start()
    throttling._rests_until = 0.0
    again = await post(OPENED, key=key)

    assert without.status == 201
    assert isinstance(socket, dict)
    assert [remaining(heard) for heard in (without, again)] == [1, 1]


def test_who_comes_first_at_the_same_moment_counts_in_the_same_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[MemoryStorage] = []

    def storage() -> MemoryStorage:
        made.append(MemoryStorage())
        time.sleep(0.05)
        return made[-1]

    monkeypatch.setattr(throttling, "MemoryStorage", storage)
    throttling._own_limiter.cache_clear()
    rate = throttling.rate_as("3/60", "ingest", "somebody")
    assert rate is not None
    with ThreadPoolExecutor(8) as threads:
        allowed = list(threads.map(lambda _: rate.spend(), range(8)))

    assert (allowed.count(True), len(made)) == (3, 1)
