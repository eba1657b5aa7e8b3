"""The pages of chats, before any script runs: what they show, and what their forms do."""

import re
from collections.abc import AsyncIterator
from html import unescape

import httpx
import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User

from tests.agentpipe.knocking import signed_in
from tests.agents.chatting import Chatting
from tests.clients import Api

TOOL = {"tool": "measure", "args": {"what": "tower"}, "result": "42 metres", "summary": "42 m"}
SPENT = {"usage": {"input_tokens": 1000, "output_tokens": 234, "cost": "0.0021"}}


class Browser(Api):
    """A browser without scripts, in which somebody has signed in."""

    async def shown(self, path: str) -> str:
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return unescape(re.sub(r"\s+", " ", answer.text))

    async def fill_in(self, path: str, **fields: str) -> httpx.Response:
        return await self.post(path, data=fields)


@pytest.fixture
async def browser(alice: User) -> AsyncIterator[Browser]:
    headers = await database_sync_to_async(signed_in)(alice)
    async with Browser(headers=headers) as browser:
        yield browser


def parts(page: str, name: str) -> list[str]:
    """What each exchange says there; the last in the page is the blank for scripts."""
    return re.findall(rf'data-part="{name}"[^>]*>(.*?)</', page)[:-1]


def is_hidden(page: str, name: str) -> bool:
    first = re.search(rf'data-part="{name}"[^>]*>', page)
    assert first
    return " hidden" in first[0]


def chat_of(answer: httpx.Response) -> str:
    assert answer.status_code == 302, answer.text
    found = re.fullmatch(r"/chats/([0-9a-f-]{36})#newest", answer.headers["location"])
    assert found
    return found[1]


@pytest.mark.usefixtures("worker")
async def test_an_answer_is_shown_with_what_it_took(chatting: Chatting, browser: Browser) -> None:
    chat = await chatting.open()
    script = (TOOL, SPENT, {"say": "It is **42 m** high <b>."})
    await chatting.ended(await chatting.ask(chat, *script, content="How <high>?"))

    page = await browser.shown(f"/chats/{chat}")

    assert parts(page, "asker") == ["ada"]
    assert parts(page, "question") == ["How <high>?"]
    assert parts(page, "agent") == ["Scripted"]
    assert parts(page, "text") == ["It is **42 m** high <b>."]
    assert parts(page, "spent") == ["1,234 tokens · $0.0021"]
    assert re.fullmatch(r"Worked for \d+\.\d s · 1 tool", parts(page, "doing")[0])
    assert "<code>measure</code>" in page
    (run,) = (await chatting.api.get("/api/projects/tower/runs")).json()["items"]
    assert f'href="/runs/{run["id"]}">Run</a>' in page
    assert "42 m</span>" in page
    assert [is_hidden(page, name) for name in ("stop", "retry", "error")] == [True] * 3


@pytest.mark.usefixtures("worker")
async def test_a_failure_is_shown_with_its_sentence_and_can_be_tried_again(
    chatting: Chatting, browser: Browser
) -> None:
    chat = await chatting.open()
    asked = await chatting.ask(chat, {"say": "It is "}, {"fail": "The tower has fallen"})
    await chatting.ended(asked, "error")

    page = await browser.shown(f"/chats/{chat}")
    again = await browser.fill_in(f"/chats/{chat}", retry=asked["message_id"])
    await chatting.ended(asked, "error")

    assert parts(page, "badge") == ["Failed"]
    assert "The tower has fallen" in parts(page, "error")[0]
    assert parts(page, "text") == ["It is "]
    assert not is_hidden(page, "retry")
    assert chat_of(again) == chat
    kinds = [step["type"] for step in await chatting.events(asked)]
    assert kinds.count("start") == 2


async def test_a_question_in_a_new_chat_names_it_and_is_asked(
    chatting: Chatting, browser: Browser
) -> None:
    await chatting.open("bob", title="Of somebody else")

    chat = chat_of(
        await browser.fill_in("/chats", agent_id="guide", content="How high\r\n is  it?")
    )
    listed = await browser.shown("/chats")
    page = await browser.shown(f"/chats/{chat}")

    assert f'href="/chats/{chat}">How high is it?</a>' in listed
    assert "Of somebody else" not in listed
    assert [message["content"] for message in await chatting.messages(chat)] == [
        "How high\n is  it?",
        "",
    ]
    assert parts(page, "asker") == ["alice"]
    assert parts(page, "badge") == ["Queued"]
    assert not is_hidden(page, "stop")


async def test_a_question_that_waits_can_be_stopped(chatting: Chatting, browser: Browser) -> None:
    chat = await chatting.open()
    asked = await chatting.ask(chat)

    stopped = [await browser.fill_in(f"/chats/{chat}", stop=asked["message_id"]) for _ in range(2)]
    page = await browser.shown(f"/chats/{chat}")

    assert [chat_of(answer) for answer in stopped] == [chat, chat]
    assert parts(page, "badge") == ["Stopped"]
    assert not is_hidden(page, "retry")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "Write a question first"), (" \n", "Write a question first"), ("x" * 200_001, "200000")],
)
async def test_what_is_no_question_is_said_so_and_kept(
    chatting: Chatting, browser: Browser, content: str, complaint: str
) -> None:
    chat = await chatting.open()

    for path in ("/chats", f"/chats/{chat}"):
        answer = await browser.fill_in(path, content=content)
        assert answer.status_code == 200
        assert complaint in answer.text
        assert content.strip() in answer.text
    assert await chatting.messages(chat) == []


async def test_a_long_chat_is_shown_from_its_end_and_leads_back(
    chatting: Chatting, browser: Browser
) -> None:
    chat = await chatting.open()
    for number in range(33):
        await chatting.ask(chat, content=f"Question {number}")

    newest = await browser.shown(f"/chats/{chat}")
    earlier = re.search(r'href="(\?before=\d+)">Earlier', newest)
    assert earlier
    oldest = await browser.get(f"/chats/{chat}{earlier[1]}")

    assert parts(newest, "question") == [f"Question {number}" for number in range(3, 33)]
    for number in range(3):
        assert f">Question {number}<" in oldest.text
    assert ">Question 3<" not in oldest.text
    assert "Earlier questions" not in oldest.text
    # What is not the end of the chat does not go on by itself.
    assert "stream=" in newest
    assert "stream=" not in oldest.text


async def test_a_form_of_another_site_asks_nothing(alice: User, chatting: Chatting) -> None:
    headers = await database_sync_to_async(signed_in)(alice)
    del headers["x-csrftoken"]
    chat = await chatting.open()

    async with Browser(headers=headers) as browser:
        refused = [
            await browser.fill_in(path, content="How high?")
            for path in ("/chats", f"/chats/{chat}")
        ]

    assert [answer.status_code for answer in refused] == [403, 403]
    assert await chatting.messages(chat) == []


async def test_a_chat_is_renamed_and_one_without_a_name_is_not(
    chatting: Chatting, browser: Browser
) -> None:
    chat = await chatting.open(title="Towers")

    saved = await browser.fill_in(f"/chats/{chat}/edit", title=" Of stone ")
    refused = await browser.fill_in(f"/chats/{chat}/edit", title=" ")
    too_long = await browser.fill_in(f"/chats/{chat}/edit", title="x" * 201)

    assert chat_of(saved) == chat
    assert [refused.status_code, too_long.status_code] == [400, 400]
    assert "may not be blank" in refused.text
    assert 'value="' + "x" * 201 in too_long.text
    assert '<h1 dir="auto">Of stone</h1>' in await browser.shown(f"/chats/{chat}")


async def test_a_chat_is_deleted_with_what_was_asked_in_it(
    chatting: Chatting, browser: Browser
) -> None:
    chat = await chatting.open()
    await chatting.ask(chat)

    gone = await browser.fill_in(f"/chats/{chat}/edit", do="delete")

    assert gone.headers["location"] == "/chats?project=tower"
    assert (await browser.get(f"/chats/{chat}")).status_code == 404
    assert (await chatting.api.get("/api/projects/tower/runs")).json()["items"] == []


async def test_chats_that_were_used_last_come_first(chatting: Chatting, browser: Browser) -> None:
    chats = [chat_of(await browser.fill_in("/chats", content=word)) for word in ("one", "two")]
    await browser.fill_in(f"/chats/{chats[0]}", content="three")

    listed = re.findall(r'data-chat="([^"]+)"', await browser.shown("/chats"))

    assert listed == chats
