"""Reading the record: lists, filters, pages, shapes."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conversations import events
from conversations.api import serializers
from conversations.ingest.receive import receive
from conversations.models import Conversation, Message, Participant, Project
from tests.clients import NOW, Api, Json, opened, said, started

LIST = "/api/conversations"
PAGE = {"items", "total", "page", "page_size", "total_pages", "has_more"}


async def listed(api: Api, **query: str) -> list[str]:
    answer = await api.get(LIST, params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def started_at(api: Api, conversation: str, at: str, **data: object) -> None:
    start = started(conversation, **data)
    await api.ingest("conversation.started", start, timestamp=at)


async def test_conversations_are_newest_first(api: Api) -> None:
    for name, at in (("s-2", "02"), ("s-3", "03"), ("s-1", "01")):
        await started_at(api, name, f"2026-11-{at}T10:00:00Z")

    assert await listed(api) == ["s-3", "s-2", "s-1"]


async def test_filters_narrow_the_list(api: Api) -> None:
    agents = [{"agent_id": "g-1", "agent_type": "gemini"}]
    await api.start("s-1", mode="reactive")
    await api.start("s-2", participants=agents)
    await api.ingest("conversation.completed", {"conversation_id": "s-2", "status": "completed"})
    await api.say("s-3", "Early", agent_id="q-1", agent_type="qwen")

    for query, wanted in (
        ({"status": "COMPLETED"}, {"s-2"}),
        ({"status": "completed"}, {"s-2"}),
        ({"status": "Active"}, {"s-1", "s-3"}),
        ({"status": "asleep"}, set()),
        ({"mode": "reactive"}, {"s-1"}),
        ({"source": "cli"}, {"s-1", "s-2", "s-3"}),
        ({"source": "web"}, set()),
        ({"agent": "g-1"}, {"s-2"}),
        ({"agent": "gemini"}, {"s-2"}),
        ({"agent": "qwen"}, {"s-3"}),
        ({"agent": "q-1", "status": "ACTIVE"}, {"s-3"}),
        ({"agent": "claude", "mode": "reactive"}, {"s-1"}),
        ({"agent": "a\0"}, set()),
        ({"status": "", "mode": "", "agent": ""}, {"s-1", "s-2", "s-3"}),
    ):
        assert set(await listed(api, **query)) == wanted, query


async def test_a_page_says_where_it_is(api: Api) -> None:
    for number in range(5):
        await started_at(api, f"s-{number}", f"2026-11-0{9 - number}T10:00:00Z")
    pages = [
        (await api.get(LIST, params={"page": page, "page_size": 2})).json() for page in (1, 2, 3, 4)
    ]

    assert [page.keys() for page in pages] == [PAGE] * 4
    assert [[item["id"] for item in page["items"]] for page in pages] == [
        ["s-0", "s-1"],
        ["s-2", "s-3"],
        ["s-4"],
        [],
    ]
    assert [page["has_more"] for page in pages] == [True, True, False, False]
    assert {(page["total"], page["total_pages"], page["page_size"]) for page in pages} == {
        (5, 3, 2)
    }


async def test_an_empty_list_is_a_page_too(api: Api) -> None:
    assert (await api.get(LIST)).json() == {
        "items": [],
        "total": 0,
        "page": 1,
        "page_size": 20,
        "total_pages": 0,
        "has_more": False,
    }


@pytest.mark.parametrize("path", ["", "/s-1/messages", "/s-1/participants"])
async def test_a_page_is_cut_to_a_hundred_and_must_be_a_number(api: Api, path: str) -> None:
    await api.start("s-1")

    for size, shown in (("1", 1), ("100", 100), ("101", 100), ("9" * 18, 100)):
        answer = await api.get(LIST + path, params={"page_size": size})
        assert answer.json()["page_size"] == shown
    assert (await api.get(LIST + path)).json()["page_size"] == 20
    for name in ("page", "page_size"):
        for unfit in ("many", "", "0", "-1", "1.5", "٣", "9" * 30):
            answer = await api.get(LIST + path, params={name: unfit})
            assert (answer.status_code, answer.json()["field"]) == (400, name)


async def all_after(api: Api, path: str, size: int) -> list[Json]:
    found: list[Json] = []
    has_more, last = True, ""
    while has_more:
        answer = await api.get(path, params={"after": last, "page_size": size})
        assert answer.json().keys() == {"items", "has_more"}
        found += answer.json()["items"]
        has_more, last = answer.json()["has_more"], found[-1]["id"]
    return found


async def all_before(api: Api, path: str, last: Json, size: int) -> list[Json]:
    found = [last]
    has_more = True
    while has_more:
        answer = await api.get(path, params={"before": found[0]["id"], "page_size": size})
        found = answer.json()["items"] + found
        has_more = answer.json()["has_more"]
    return found


async def all_pages(api: Api, path: str, size: int) -> list[Json]:
    found: list[Json] = []
    page, has_more = 1, True
    while has_more:
        answer = await api.get(path, params={"page": page, "page_size": size})
        found += answer.json()["items"]
        page, has_more = page + 1, answer.json()["has_more"]
    return found


@pytest.mark.parametrize("size", [1, 4, 5, 100])
async def test_pages_and_cursors_show_the_same_messages(
    api: Api, project: Project, size: int
) -> None:
    """Also where numbers and times are equal."""
    places = [(number // 4, number // 2 % 2) for number in range(20)]
    events = [
        {
            "type": "message.created",
            "timestamp": f"2026-11-21T10:00:0{second}Z",
            "data": said("s-1", f"line {number}", sequence_number=number),
        }
        for number, second in reversed(places)
    ]
    await sync_to_async(receive)(events, project=project)
    path = f"{LIST}/s-1/messages"

    pages = await all_pages(api, path, size)

    assert len({message["id"] for message in pages}) == 20
    order = [(message["sequenceNumber"], message["timestamp"]) for message in pages]
    assert order == sorted(order)
    assert await all_after(api, path, size) == pages
    assert await all_before(api, path, pages[-1], size) == pages


async def test_a_cursor_must_be_a_message_of_the_conversation(api: Api) -> None:
    await api.start("s-1")
    [elsewhere] = await api.say("s-2", "Elsewhere")
    path = f"{LIST}/s-1/messages"

    for name in ("after", "before"):
        for unfit in ("nobody", elsewhere, "a\0"):
            answer = await api.get(path, params={name: unfit})
            assert (answer.status_code, answer.json()["field"]) == (400, name)
    assert (await api.get(path, params={"after": "", "before": elsewhere})).status_code == 400
    assert (await api.get(path, params={"after": "", "page_size": "x"})).status_code == 400


async def test_messages_are_read_from_the_end_and_from_a_time_on(api: Api) -> None:
    for minute in range(5):
        message = said("s-1", f"line {minute}", sequence_number=minute + 1)
        time = f"2026-11-21T10:{minute:02}:00Z"
        assert (await api.ingest("message.created", message, timestamp=time)).status_code == 201
    path = f"{LIST}/s-1/messages"

    async def lines(**query: str) -> tuple[list[str], bool]:
        answer = (await api.get(path, params={"page_size": "2", **query})).json()
        return [item["content"] for item in answer["items"]], answer["has_more"]

    assert await lines(before="") == (["line 3", "line 4"], True)
    assert await lines(at="2026-11-21T10:01:30Z") == (["line 2", "line 3"], True)
    assert await lines(at="2026-11-21T12:03:00+02:00") == (["line 3", "line 4"], False)
    assert await lines(at="2026-11-21T10:04") == (["line 4"], False)
    assert await lines(at="2026-11-21T10:05:00Z") == ([], False)
    for unfit in ("", "noon", "2026-13-21T10:00:00Z"):
        assert (await api.get(path, params={"at": unfit})).json()["field"] == "at"


async def test_participants_stand_as_they_were_announced(api: Api) -> None:
    agents = [{"agent_id": f"a-{number}", "agent_type": "claude"} for number in (3, 1, 2)]
    await api.start("s-1", participants=agents)

    answer = (await api.get(f"{LIST}/s-1/participants")).json()

    assert answer.keys() == PAGE
    assert [agent["agentId"] for agent in answer["items"]] == ["a-3", "a-1", "a-2"]
    assert answer["items"] == (await api.conversation("s-1"))["participants"]


async def test_events_are_read_from_a_cursor_on(api: Api) -> None:
    await api.start("s-1")
    await api.say("s-1", "one", "two")
    path = f"{LIST}/s-1/events"

    all_events = (await api.get(path)).json()
    some = (await api.get(path, params={"since": all_events["items"][0]["id"]})).json()
    first = (await api.get(path, params={"since": "0", "page_size": 1})).json()

    assert all_events.keys() == {"items", "has_more"}
    assert [frame["seq"] for frame in all_events["items"]] == [1, 2, 3]
    assert all_events["items"][0].keys() == {"id", "seq", "type", "timestamp", "data"}
    assert some == {"items": all_events["items"][1:], "has_more": False}
    assert first == {"items": all_events["items"][:1], "has_more": True}


async def test_a_malformed_cursor_is_refused_and_one_beyond_the_end_is_told(api: Api) -> None:
    await api.start("s-1")
    path = f"{LIST}/s-1/events"

    for malformed in ("x", "1", "-1", "1_0001", "1_0001_xyz", "1_0001_00000000 "):
        assert (await api.get(path, params={"since": malformed})).status_code == 400
    beyond = (await api.get(path, params={"since": "1_0099_00000000"})).json()["items"]
    assert [frame["type"] for frame in beyond] == ["stream.truncated", "conversation.started"]


async def test_what_one_may_not_see_does_not_exist(
    api: Api, alice: User, bob: User, charlie: User
) -> None:
    await api.start("s-1")
    paths = [f"{LIST}/s-1{rest}" for rest in ("", "/messages", "/participants", "/events")]

    def statuses(user: User | None) -> set[int]:
        client = Client()
        if user:
            client.force_login(user)
        return {client.get(path).status_code for path in paths}

    asked = sync_to_async(statuses)
    assert await asked(alice) == await asked(bob) == {200}
    assert await asked(charlie) == {404}
    assert await asked(None) == {401}


async def test_other_methods_are_answered_in_json(api: Api) -> None:
    await api.start("s-1")
    for path in ("", "/s-1/messages", "/s-1/participants", "/s-1/events"):
        answer = await api.post(LIST + path, json={})
        assert (answer.status_code, answer.json().keys()) == (405, {"error"})


def test_the_documented_fields_are_those_of_the_shapes(project: Project) -> None:
    conversation = Conversation(project=project, public_id="s-1", started_at="2026-11-21T10:00Z")
    conversation.started_at = conversation.created_at
    message = Message(conversation=conversation, timestamp=conversation.created_at)
    shapes = {
        serializers.ConversationSerializer: events.conversation_shape(
            conversation, [], project="tower"
        ),
        serializers.MessageSerializer: events.message_shape(message, conversation="s-1"),
        serializers.ParticipantSerializer: events.participant_shape(Participant()),
    }

    for serializer, shape in shapes.items():
        assert list(serializer().fields) == list(shape)


def test_a_page_costs_the_same_queries_at_any_size(project: Project, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    for number in range(12):
        start = {"type": "conversation.started", "data": started(f"s-{number}"), "timestamp": NOW}
        messages = [
            {"type": "message.created", "data": said(f"s-{number}", f"line {line}")}
            for line in range(12)
        ]
        receive([start, *messages], project=project)

    def queries(path: str, size: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(f"{path}{'&' if '?' in path else '?'}page_size={size}")
        assert len(answer.json()["items"]) == min(size, 12)
        return len(captured)

    for path in (LIST, f"{LIST}?agent=claude", f"{LIST}/s-1/messages", f"{LIST}/s-1/events"):
        assert queries(path, 2) == queries(path, 10), path
    after = f"{LIST}/s-1/messages?after="
    assert queries(after, 2) == queries(after, 10)


async def test_camel_case_conversations_are_listed_beside_the_others(api: Api) -> None:
    await api.ingest("conversation.started", opened(), timestamp="2026-11-21T11:00:00Z")
    await started_at(api, "s-1", NOW)

    items = (await api.get(LIST)).json()["items"]

    assert items[0].keys() == items[1].keys()
    assert items[1]["id"] == "s-1"
    assert {item["projectId"] for item in items} == {"tower"}


async def test_agents_with_endless_names_are_recorded_and_found(api: Api) -> None:
    endless = "claude " * 5000
    conversation = await api.start(participants=[{"agent_id": endless, "agent_type": "claude"}])
    await api.say(conversation, "Hello", agent_id=f"{endless}!", agent_type="gemini")

    for agent in ("claude", "gemini", endless[:3000]):
        found = (await api.get(LIST, params={"agent": agent})).json()["items"]
        assert [item["id"] for item in found] == [conversation]
