"""The short way in: the same answers as the long one, and a transaction for all that wait."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.db import connection
from pytest_django.fixtures import Settings

from agentpipe.api import ingest_door, ingest_line
from agentpipe.api.authentication import Visit
from agentpipe.api.ingest_line import Knock, Line, Reply
from conversations.ingest import batches, views
from conversations.models import ApiKey, Message, Project
from conversations.services import make_key
from streaming.models import EventBody
from tests.clients import NOW, Api, opened, said, started

LONG_WAY = {"Origin": "http://localhost:8000"}
MANY = 40
OPENING = {"type": "conversation.started", "data": opened()}
OF_ITS_OWN = {"content-length", "x-request-id"}
OF_THE_EVENT = (
    "id",
    "conversation_id",
    "conversationId",
    "messageId",
    "message_id",
    "received_at",
)

in_database = database_sync_to_async


def asked() -> list[dict[str, Any]]:
    """Requests of all kinds, fine and not: what httpx takes, with the address left out."""
    message = {"type": "message.created", "data": said("tower", "Hello", message_id="m-1")}
    key = {"Idempotency-Key": "once"}
    text = {"Content-Type": "text/plain"}
    return [
        {"json": {"type": "conversation.started", "data": started("tower")}},
        {"json": message},
        {"json": message},
        {"json": {**message, "timestamp": "never"}},
        {"json": {"type": "conversation.started", "data": opened(), "timestamp": NOW}},
        {"json": {"type": "conversation.started", "data": {}}},
        {"json": {"type": "message.created", "data": {"conversation_id": ""}}},
        {"json": {"type": "conversation.completed", "data": {"conversationId": "nowhere"}}},
        {"json": {"type": "tower.built", "data": {}}},
        {"json": {"type": "log.entry", "data": {"level": "info", "message": "x"}}},
        {"json": {"type": "bridge.test", "data": {}}, "headers": key},
        {"json": {"type": "error.occurred", "data": {"message": "x"}}, "headers": key},
        {"json": [message]},
        {"json": "message"},
        {"json": None},
        {"content": b"", "headers": {"Content-Type": "application/json"}},
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"content": b"\xff", "headers": {"Content-Type": "application/json"}},
        {"content": b"[" * 1000, "headers": {"Content-Type": "application/json"}},
        {"content": b"{}", "headers": text},
        {"content": b"{}", "headers": {}},
        {"content": b"{}", "headers": {"Content-Type": "application/json; charset=utf-8"}},
        {"json": message, "headers": {"Content-Encoding": "gzip"}},
        {"json": message, "headers": {"Authorization": "Bearer wrong"}},
        {"json": message, "headers": {"Authorization": "Basic xyz"}},
        {"json": {**message, "padding": "x" * 1024 * 1024}},
    ]


def asked_of_many() -> list[dict[str, Any]]:
    """The same of batches: all of those at once, and what is fine or not as a whole."""
    events = [one["json"] for one in asked() if "json" in one]
    json = {"Content-Type": "application/json"}
    lines = b'{"type": "bridge.test", "data": {}}\n{\n\n"x"\n'
    deep = b'[{"type": "bridge.test", "data": ' + b"[" * 200 + b"]" * 200 + b"}, {}]"
    return [
        {"json": events},
        {"json": events, "headers": {"Idempotency-Key": "once"}},
        {"json": events, "headers": {"Idempotency-Key": "once"}},
        {"json": []},
        {"json": {}},
        {"json": None},
        {"json": [{}] * 1001},
        {"content": b"", "headers": json},
        {"content": b"[{", "headers": json},
        {"content": b'["\\ud800"]', "headers": json},
        {"content": deep, "headers": json},
        {"content": lines, "headers": {"Content-Type": "application/x-ndjson"}},
        {"content": lines, "headers": json},
        {"content": b"[]", "headers": {"Content-Type": "text/plain"}},
        {"json": [], "headers": {"Content-Encoding": "gzip"}},
        {"json": events, "headers": {"Authorization": "Bearer wrong"}},
        {"json": [{"type": "bridge.test", "data": {"x": "x" * 1024}}] * 900},
        {"json": [{"type": "bridge.test", "data": {"x": "x" * 3 * 1024 * 1024}}]},
    ]


def shown(answer: httpx.Response, *, project: str) -> Any:
    """All of an answer but for what differs from project to project and time to time."""
    headers = {name: text for name, text in answer.headers.items() if name not in OF_ITS_OWN}
    body = answer.json()
    for part in (body, *body.get("results", ())):
        for name in OF_THE_EVENT:
            if name in part:
                part[name] = bool(part[name])
    return answer.status_code, headers, str(body).replace(project, "PROJECT")


@pytest.mark.parametrize(
    ("path", "requests"),
    [("/api/ingest", asked), ("/api/ingest/batch", asked_of_many)],
    ids=["one", "many"],
)
async def test_both_ways_answer_alike_to_whatever_comes(
    project: Project, path: str, requests: Callable[[], list[dict[str, Any]]]
) -> None:
    other = await Project.objects.acreate(slug="other")
    answers: dict[str, list[Any]] = {}
    for way, where in (("short", project), ("long", other)):
        _, secret = await in_database(make_key)(where, way, rates={"ingest": "0", "bridge": "0"})
        async with Api(secret) as api:
            answers[way] = []
            for request in requests():
                headers = {**request.pop("headers", {}), **(LONG_WAY if way == "long" else {})}
                answer = await api.post(path, **request, headers=headers)
                answers[way].append(shown(answer, project=where.slug))

    for request, short, long in zip(requests(), answers["short"], answers["long"], strict=True):
        assert short == long, request


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/ingest", OPENING), ("/api/ingest/batch", [OPENING, OPENING])],
    ids=["one", "many"],
)
async def test_both_ways_count_against_the_same_rate_and_show_it(
    project: Project, path: str, body: object
) -> None:
    _, secret = await in_database(make_key)(project, "few", rates={"ingest": "3/60"})
    left = []
    async with Api(secret) as api:
        for headers in ({}, LONG_WAY, {}):
            answer = await api.post(path, json=body, headers=headers)
            left.append(answer.headers["X-RateLimit-Remaining"])
        refused = await api.post(path, json=body)

    assert left == ["2", "1", "0"]
    assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (429, "0")
    assert int(refused.headers["Retry-After"]) > 0


async def test_a_batch_goes_the_short_way_unless_it_is_large(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = []
    for way in (ingest_door, views):

        def receive_batch(*args: Any, way: Any = way, **options: Any) -> dict[str, Any]:
            ways.append(way)
            return batches.receive_batch(*args, **options)

        monkeypatch.setattr(way, "receive_batch", receive_batch)
    large = {"type": "bridge.test", "data": {"x": "x" * ingest_door.LARGEST[ingest_door.BATCH]}}

    for events in ([OPENING], [OPENING, large]):
        answer = await api.post("/api/ingest/batch", json=events)
        assert answer.json()["accepted"] == len(events)

    assert ways == [ingest_door, views]


async def test_of_many_at_once_as_many_pass_as_the_rate_allows(project: Project) -> None:
    _, secret = await in_database(make_key)(project, "few", rates={"bridge": "7/60"})

    async def say() -> int:
        async with Api(secret) as api:
            event = {"type": "message.created", "data": said("tower", "x")}
            return (await api.post("/api/ingest", json=event)).status_code

    async with asyncio.TaskGroup() as posting:
        answers = [posting.create_task(say()) for _ in range(MANY)]

    # The command-line tool comes again after a 503.
    assert Counter(answer.result() for answer in answers) == {201: 7, 503: MANY - 7}
    assert await Message.objects.filter(project=project).acount() == 7


async def test_what_waits_meanwhile_is_written_together(api: Api) -> None:
    conversations = [await api.start() for _ in range(4)]

    async with asyncio.TaskGroup() as posting:
        for number in range(MANY):
            posting.create_task(api.say(conversations[number % 4], f"stone {number}"))

    told = EventBody.objects.filter(kind="message.created")
    assert await told.acount() == MANY
    # One time of recording is one transaction.
    assert await told.values("recorded_at").distinct().acount() < MANY / 2
    for conversation in conversations:
        messages = await api.messages(conversation)
        assert [message["sequenceNumber"] for message in messages] == list(range(1, 11))


async def test_everyone_who_waits_is_answered_of_their_own(project: Project, key: str) -> None:
    other = await Project.objects.acreate(slug="other")
    _, foreign = await in_database(make_key)(other, "other", rates={"bridge": "0"})
    revoked, useless = await in_database(make_key)(project, "revoked")
    await ApiKey.objects.filter(pk=revoked.pk).aupdate(revoked_at=NOW)
    keys = [key, foreign, useless, "wrong"]

    async def say(number: int) -> None:
        event = {
            "type": "message.created",
            "data": {**said("tower", "x"), "message_id": f"m-{number}"},
        }
        if number % 5 == 0:
            event["data"] = {"conversation_id": ""}
        async with Api(keys[number % 4]) as api:
            answer = await api.post("/api/ingest", json=event)
        expected = 401 if number % 4 >= 2 else 400 if number % 5 == 0 else 201
        assert answer.status_code == expected, answer.text
        if expected == 201:
            assert answer.json()["message_id"] == f"m-{number}"

    async with asyncio.TaskGroup() as posting:
        for number in range(MANY):
            posting.create_task(say(number))

    for slug, place in (("tower", 0), ("other", 1)):
        wanted = {f"m-{n}" for n in range(MANY) if n % 4 == place and n % 5}
        found = Message.objects.filter(project__slug=slug)
        assert {
            public_id async for public_id in found.values_list("public_id", flat=True)
        } == wanted


async def test_one_that_the_database_refuses_is_not_its_neighbours_fault(api: Api) -> None:
    conversation = await api.start()
    await in_database(_refuse_poison)()
    try:
        statuses = await asyncio.gather(
            *(_status(api, conversation, "poison" if n == 7 else f"stone {n}") for n in range(20))
        )
    finally:
        await in_database(_take_poison)()

    assert [n for n, status in enumerate(statuses) if status != 201] == [7]
    assert statuses[7] == 500
    assert len(await api.messages(conversation)) == 19


@pytest.mark.parametrize(("bound", "most"), [("MOST_WAITING", 3), ("MOST_BYTES_WAITING", 1000)])
async def test_a_line_that_is_too_long_says_to_come_back(
    api: Api, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(ingest_line, bound, most)
    conversation = await api.start()

    answers = await asyncio.gather(
        *(api.ingest("message.created", said(conversation, "x")) for _ in range(20))
    )

    busy = [answer for answer in answers if answer.status_code == 503]
    assert busy
    assert all(answer.headers["Retry-After"] == "1" for answer in busy)
    accepted = sum(answer.status_code == 201 for answer in answers)
    assert accepted + len(busy) == 20
    assert len(await api.messages(conversation)) == accepted


async def test_a_foreign_host_is_refused_as_ever(api: Api, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["agents.example"]

    answer = await api.ingest("bridge.test", {})

    refusal = "This name is not one of AGENTPIPE_ALLOWED_HOSTS"
    assert (answer.status_code, answer.json()) == (400, {"error": refusal})


async def test_who_goes_while_waiting_takes_nobody_along(api: Api, alice: User) -> None:
    conversation = await api.start()
    posting = [asyncio.create_task(_status(api, conversation, f"stone {n}")) for n in range(10)]
    await asyncio.sleep(0)
    posting[3].cancel()

    statuses = await asyncio.gather(*posting, return_exceptions=True)

    assert [status for n, status in enumerate(statuses) if n != 3] == [201] * 9


async def test_while_one_transaction_takes_long_the_next_goes() -> None:
    has_begun, go_on = threading.Event(), threading.Event()

    def write(knocks: Sequence[Knock]) -> list[Reply]:
        if knocks[0].body == b"slow":
            has_begun.set()
            go_on.wait(15)
        return [Reply(status=201, body={}, headers={}) for _ in knocks]

    line = Line(write, most_together=256, most_writing=2)
    slow = asyncio.create_task(line.wait_for(knock(b"slow")))
    assert await asyncio.to_thread(has_begun.wait, 15)
    quick = await line.wait_for(knock(b"quick"))

    assert quick is not None
    assert not slow.done()
    go_on.set()
    await slow


def knock(body: bytes) -> Knock:
    visit = Visit(headers={}, client=None, method="POST")
    return Knock(visit=visit, idempotency_key=None, body=body, trace="")


async def _status(api: Api, conversation: str, content: str) -> int:
    return (await api.ingest("message.created", said(conversation, content))).status_code


def _refuse_poison() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.content = 'poison' THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER refuse_poison BEFORE INSERT ON conversations_message"
            " FOR EACH ROW EXECUTE FUNCTION refuse_poison()"
        )


def _take_poison() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION refuse_poison CASCADE")
