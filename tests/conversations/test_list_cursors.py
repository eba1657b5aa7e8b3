"""The list of conversations by cursor: what follows one, what comes before it."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import Client

from conversations.ingest.receive import receive
from conversations.models import Membership, Project
from tests.clients import Api, Json, started

LIST = "/api/conversations"


@pytest.fixture
def other_project(transactional_db: None) -> Project:
    return Project.objects.create(slug="bridge")


def at(minute: int) -> str:
    return f"2026-11-21T10:{minute:02}:00Z"


async def record(api: Api, *conversations: tuple[str, int], **data: object) -> None:
    for name, minute in conversations:
        answer = await api.ingest(
            "conversation.started", started(name, **data), timestamp=at(minute)
        )
        assert answer.status_code == 201


async def page(api: Api, **query: str | int) -> tuple[list[str], bool]:
    answer = await api.get(LIST, params={"page_size": 2, **query})
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"items", "has_more"}
    return [item["id"] for item in answer.json()["items"]], answer.json()["has_more"]


async def walked(api: Api, **query: str | int) -> list[str]:
    """All of a list, page by page from its beginning."""
    found, has_more = await page(api, after="", **query)
    while has_more:
        more, has_more = await page(api, after=found[-1], **query)
        found += more
    return found


async def walked_back(api: Api, last: str, **query: str | int) -> list[str]:
    found, has_more = await page(api, before=last, **query)
    while has_more:
        more, has_more = await page(api, before=found[0], **query)
        found = more + found
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 100])
async def test_cursors_and_pages_show_the_same_conversations(api: Api, size: int) -> None:
    """Also where several began at the same moment."""
    await record(api, *((f"s-{number}", number // 3) for number in range(7)))
    pages = await api.get(LIST, params={"page_size": 100})
    wanted = [item["id"] for item in pages.json()["items"]]

    assert wanted[-1] == "s-0"
    assert await walked(api, page_size=size) == wanted
    assert await walked_back(api, "s-0", page_size=size) == wanted[:-1]


async def test_a_walk_shows_everything_once_whatever_is_recorded_meanwhile(api: Api) -> None:
    await record(api, *((f"s-{number}", 10 + 2 * number) for number in range(6)))
    first, _ = await page(api, after="")

    await record(api, ("newer", 30), ("older", 1), ("between", 15))
    rest, has_more = await page(api, after=first[-1], page_size=100)

    assert first == ["s-5", "s-4"]
    assert (rest, has_more) == (["s-3", "between", "s-2", "s-1", "s-0", "older"], False)
    assert await page(api, before="s-5") == (["newer"], False)


async def test_cursors_go_through_what_the_filters_leave(api: Api) -> None:
    gemini = [{"agent_id": "g-1", "agent_type": "gemini"}]
    await record(api, *((f"r-{number}", number) for number in (1, 4, 7)), mode="reactive")
    await record(api, *((f"g-{number}", number) for number in (2, 5, 8)), participants=gemini)
    await record(
        api,
        *((f"b-{number}", number) for number in (3, 6, 9)),
        mode="reactive",
        participants=gemini,
    )
    for name in ("b-3", "b-6", "g-5"):
        end = {"conversation_id": name, "status": "completed"}
        await api.ingest("conversation.completed", end)

    assert await walked(api, mode="reactive") == ["b-9", "r-7", "b-6", "r-4", "b-3", "r-1"]
    assert await walked(api, mode="reactive", agent="gemini") == ["b-9", "b-6", "b-3"]
    assert await walked(api, agent="g-1", status="completed") == ["b-6", "g-5", "b-3"]
    assert await walked(api, source="cli", page_size=4) == [
        item for number in range(3, 0, -1) for item in _three(number)
    ]
    assert await walked_back(api, "r-1", mode="reactive", agent="gemini") == ["b-9", "b-6", "b-3"]
    assert await walked(api, mode="asleep") == []


async def test_a_conversation_that_the_filters_leave_out_is_a_cursor_still(api: Api) -> None:
    """It may have ended since the page before was read."""
    await record(api, ("s-1", 1), ("s-2", 2), ("s-3", 3))
    end = {"conversation_id": "s-2", "status": "completed"}
    await api.ingest("conversation.completed", end)

    assert await page(api, status="ACTIVE", after="s-2") == (["s-1"], False)
    assert await page(api, status="ACTIVE", before="s-2") == (["s-3"], False)


async def test_a_cursor_must_be_a_conversation_of_the_project(
    api: Api, other_project: Project
) -> None:
    await record(api, ("s-1", 1))
    foreign: Json = {"type": "conversation.started", "data": started("foreign")}
    await sync_to_async(receive)([foreign], project=other_project)

    for name in ("after", "before"):
        for unfit in ("nobody", "foreign", "a\0", "1"):
            answer = await api.get(LIST, params={name: unfit})
            assert (answer.status_code, answer.json()["field"]) == (400, name), unfit
    assert (await api.get(LIST, params={"after": "", "before": "s-1"})).status_code == 400
    assert (await api.get(LIST, params={"after": "", "page_size": "x"})).status_code == 400
    assert await page(api, after="") == (["s-1"], False)
    assert await page(api, before="") == (["s-1"], False)


def test_a_member_of_several_projects_walks_one_of_them(
    project: Project, other_project: Project, charlie: User
) -> None:
    for each in (project, other_project):
        Membership.objects.create(project=each, user=charlie)
    for number, of in enumerate((project, other_project, project, other_project)):
        event = {"type": "conversation.started", "data": started(f"s-{number}")}
        receive([event | {"timestamp": at(number)}], project=of)
    client = Client()
    client.force_login(charlie)

    def ids(project: Project, after: str) -> list[str] | None:
        answer = client.get(LIST, {"project": project.slug, "after": after})
        return [item["id"] for item in answer.json().get("items", [])] or None

    assert ids(project, "") == ["s-2", "s-0"]
    assert ids(other_project, "s-3") == ["s-1"]
    assert ids(other_project, "s-2") is None


async def test_a_search_has_no_cursors_and_says_so(api: Api) -> None:
    await record(api, ("s-1", 1))

    for name in ("after", "before"):
        answer = await api.get(LIST, params={"q": "tower", name: "s-1"})
        assert (answer.status_code, answer.json()["field"]) == (400, name)
        assert "page" in answer.json()["message"]
    assert (await api.get(LIST, params={"q": "", "after": ""})).status_code == 200


def _three(number: int) -> list[str]:
    return [f"b-{3 * number}", f"g-{3 * number - 1}", f"r-{3 * number - 2}"]
