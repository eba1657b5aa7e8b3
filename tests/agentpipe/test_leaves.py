"""Streams that are open end where what they were opened with is taken back, and only those."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.db import OperationalError
from pytest_django import Settings

from conversations import access, services
from conversations.models import ApiKey, Membership, Project
from tests.agentpipe.knocking import signed_in
from tests.agentpipe.test_stream_tokens import token_for
from tests.clients import Api, Socket, Sse, sse

TOWER = "/api/stream/projects/tower"
STREAM = "/api/realtime/stream"

Opens = Callable[..., Awaitable[tuple[Sse, Socket, Socket]]]

asked: list[int] = []


def noted(leaves: list[access.Leave]) -> object:
    asked.append(len(leaves))
    return access.extents_of(leaves)


def unreachable(leaves: object) -> None:
    raise OperationalError("the database is away")


@pytest.fixture(autouse=True)
def _quick(settings: Settings) -> None:
    settings.STREAM_PULSE_S = 0.1


@pytest.fixture
async def opened(api: Api) -> AsyncIterator[Opens]:
    """One stream of each kind, open until the test ends."""
    async with AsyncExitStack() as stack:

        async def open_all(query: str = "", **who: object) -> tuple[Sse, Socket, Socket]:
            stream = await stack.enter_async_context(sse(f"{STREAM}?{query}", **who))  # type: ignore[arg-type]
            one = await stack.enter_async_context(Socket(f"{TOWER}?{query}", **who))  # type: ignore[arg-type]
            many = await stack.enter_async_context(Socket(f"/api/stream?{query}", **who))  # type: ignore[arg-type]
            await stream.frame()
            await one.frame()
            await many.frame()
            await many.send_json_to({"action": "subscribe", "stream": "project:tower"})
            assert (await many.frame())["type"] == "subscribed"
            return stream, one, many

        yield open_all


async def ended(streams: tuple[Sse, Socket, Socket]) -> list[int]:
    stream, *sockets = streams
    with pytest.raises(EOFError):
        await stream.frame()
    return [await socket.closed_with() for socket in sockets]


async def goes_on(streams: tuple[Sse, Socket, Socket], api: Api) -> None:
    conversation = await api.start()
    for one in streams:
        assert (await one.frame())["data"]["conversation"]["id"] == conversation


async def other_key(project: Project) -> tuple[str, int]:
    secret = (await database_sync_to_async(services.make_key)(project, name="other"))[1]
    found = await database_sync_to_async(ApiKey.objects.get)(name="other")
    return secret, found.pk


@pytest.mark.parametrize("by_token", [False, True])
async def test_a_key_that_is_revoked_takes_its_streams_with_it(
    api: Api, key: str, project: Project, opened: Opens, *, by_token: bool
) -> None:
    secret, key_id = await other_key(project)
    token = await token_for("project:tower", key=secret)
    theirs = await (opened(f"token={token}") if by_token else opened(key=secret))
    mine = await opened(key=key)

    await database_sync_to_async(services.revoke_key)(project, key_id)

    assert await ended(theirs) == [4401, 4401]
    await goes_on(mine, api)


@pytest.mark.parametrize("what", ["removed", "locked out"])
async def test_a_member_who_leaves_sees_no_more(
    api: Api, bob: User, project: Project, opened: Opens, what: str
) -> None:
    streams = await opened(headers=await database_sync_to_async(signed_in)(bob))

    if what == "removed":
        await database_sync_to_async(services.remove_member)(project, bob)
    else:
        await User.objects.filter(pk=bob.pk).aupdate(is_active=False)

    assert await ended(streams) == [4401, 4401]


async def test_who_may_still_see_something_is_asked_to_come_back(
    api: Api, bob: User, project: Project, opened: Opens
) -> None:
    bridge = await Project.objects.acreate(slug="bridge")
    await Membership.objects.acreate(project=bridge, user=bob)
    who = await database_sync_to_async(signed_in)(bob)
    streams = await opened(headers=who)

    await database_sync_to_async(services.remove_member)(project, bob)

    assert await ended(streams) == [1013, 1013]
    async with Socket(TOWER, headers=who) as socket:
        assert await socket.closed_with() == 4404
    async with Socket("/api/stream/projects/bridge", headers=who) as socket:
        assert (await socket.frame())["type"] == "connected"


async def test_a_database_that_is_away_sends_nobody_away(
    api: Api, key: str, opened: Opens, settings: Settings
) -> None:
    streams = await opened(key=key)
    settings.STREAMING_LEAVES = f"{__name__}.unreachable"

    for _ in range(3):
        await goes_on(streams, api)


async def test_a_pulse_asks_once_for_all(
    api: Api, key: str, project: Project, opened: Opens, settings: Settings
) -> None:
    settings.STREAMING_LEAVES = f"{__name__}.noted"
    for secret in (key, key, (await other_key(project))[0]):
        await opened(key=secret)
    asked.clear()

    conversation = await api.start()
    while len(asked) < 3:
        await api.say(conversation, "Stone")

    assert asked[:3] == [2, 2, 2]
