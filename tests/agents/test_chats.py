"""Users and their chats: made, listed, renamed, deleted."""

import asyncio
import re
from uuid import UUID

import pytest
from django.db import connection

from agents.models import AgentRun, Chat
from agents.recorder import in_database
from conversations.models import Project
from conversations.services import make_key
from tests.agents.chatting import Chatting
from tests.clients import Api

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


async def test_a_user_is_made_on_first_sight(api: Api) -> None:
    first = (await api.get("/api/users/alice@company.com")).json()
    again = (await api.get("/api/users/alice@company.com")).json()

    assert {name: first[name] for name in ("user_id", "name", "email")} == {
        "user_id": "alice@company.com",
        "name": None,
        "email": None,
    }
    assert again["created_at"] == first["created_at"]
    assert again["last_active"] > first["last_active"]
    assert TIME.fullmatch(first["created_at"])


async def test_a_user_met_by_many_at_once_is_one(api: Api) -> None:
    answers = await asyncio.gather(*(api.get("/api/users/ada") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["created_at"] for answer in answers}) == 1


@pytest.mark.parametrize("user_id", ["%00", "x" * 201])
async def test_what_can_name_nobody_is_nobody(api: Api, user_id: str) -> None:
    answer = await api.get(f"/api/users/{user_id}")
    assert (answer.status_code, answer.json()) == (404, {"error": "User not found"})


async def test_a_chat_is_opened_shown_renamed_and_listed(api: Api) -> None:
    opened = await api.post("/api/users/ada/chats", json={"title": "SKI 02.15 Analysis"})
    chat = opened.json()
    renamed = await api.patch(f"/api/chats/{chat['chat_id']}", json={"title": "Towers"})
    listed = (await api.get("/api/users/ada/chats")).json()

    assert opened.status_code == 201
    assert UUID(chat["chat_id"])
    assert chat["title"] == "SKI 02.15 Analysis"
    assert (chat["user_id"], chat["message_count"]) == ("ada", 0)
    assert renamed.json()["title"] == "Towers"
    assert (await api.get(f"/api/chats/{chat['chat_id']}")).json() == renamed.json()
    assert listed["items"] == [renamed.json()]
    assert listed["total"] == 1
    assert (await api.get("/api/users/bob/chats")).json()["items"] == []


async def test_chats_are_listed_newest_first_by_pages(api: Api) -> None:
    for number in range(3):
        await api.post("/api/users/ada/chats", json={"title": f"Chat {number}"})
    page = (await api.get("/api/users/ada/chats?page_size=2")).json()
    assert [chat["title"] for chat in page["items"]] == ["Chat 2", "Chat 1"]
    assert (page["total"], page["total_pages"], page["has_more"]) == (3, 2, True)


async def test_a_chat_needs_neither_title_nor_agent(api: Api) -> None:
    chat = (await api.post("/api/users/ada/chats", json={})).json()
    assert (chat["title"], chat["agent_id"]) == ("New chat", "default")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"title": ""}, 400),
        ({"title": 7 * ["x"]}, 400),
        ({"title": "x" * 201}, 400),
        ({"title": "T", "agent_id": "nobody"}, 404),
        ([], 400),
    ],
)
async def test_a_chat_that_cannot_be_is_refused(api: Api, body: object, status: int) -> None:
    answer = await api.post("/api/users/ada/chats", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_chats_are_among_the_conversations(chatting: Chatting, api: Api) -> None:
    chat = await chatting.open(title="Towers")
    shown = await api.conversation(chat)
    assert (shown["kind"], shown["name"], shown["status"]) == ("chat", "Towers", "ACTIVE")


async def test_a_chat_of_another_project_does_not_exist(chatting: Chatting) -> None:
    chat = await chatting.open()

    def key_to_another() -> str:
        return make_key(Project.objects.create(slug="other"), "other")[1]

    async with Api(await in_database(key_to_another)) as stranger:
        for path in ("", "/messages", "/messages/0123456789abcdef01234567/stream"):
            answer = await stranger.get(f"/api/chats/{chat}{path}")
            assert (answer.status_code, answer.json()) == (404, {"error": "Chat not found"})
        asked = await stranger.post(f"/api/chats/{chat}/messages", json={"content": "?"})
        assert asked.status_code == 404


@pytest.mark.usefixtures("worker")
async def test_of_a_deleted_chat_nothing_is_left(chatting: Chatting, api: Api) -> None:
    chat = await chatting.open(title="zyxtitle")
    finished = await chatting.ask(
        chat,
        {"think": "zyxthought."},
        {"tool": "measure", "args": {"what": "zyxargument"}, "result": "zyxresult"},
        {"say": "zyxanswer"},
        content="zyxquestion",
    )
    await chatting.ended(finished)
    going_on = await chatting.ask(chat, {"say": "zyxmore"}, {"wait_ms": 60_000}, content="zyxlast")
    await chatting.reached(going_on, "processing")

    answer = await api.delete(f"/api/chats/{chat}")

    assert answer.status_code == 200
    assert answer.json()["deleted"]["runs"] == 2
    assert answer.json()["deleted"]["messages"] == 4
    assert (await api.get(f"/api/chats/{chat}")).status_code == 404
    assert await in_database(_tables_with, "zyx") == []
    assert await AgentRun.objects.acount() == await Chat.objects.acount() == 0


def _tables_with(word: str) -> list[str]:
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        found = []
        for name in names:
            cursor.execute(f'SELECT 1 FROM "{name}" t WHERE t::text LIKE %s LIMIT 1', [f"%{word}%"])
            if cursor.fetchone():
                found.append(name)
        return found
