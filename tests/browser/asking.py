"""How browser tests open chats and ask in them, beside the page that they look at."""

import json
import re
import urllib.request
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.servers import KEY, Server

Step = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    server: Server
    chat: str

    @property
    def path(self) -> str:
        return f"/chats/{self.chat}"

    def ask(self, *script: Step, content: str = "How high?") -> str:
        """The id of the question; the answer plays the script."""
        metadata = {"script": list(script)} if script else {}
        body = {"content": content, "metadata": metadata}
        asked = post(self.server, f"/api/chats/{self.chat}/messages", body)
        message_id: str = asked["message_id"]
        return message_id

    def answers(self) -> list[str]:
        """As they are stored."""
        found = call(self.server, f"/api/chats/{self.chat}/messages?page_size=100")
        return [one["content"] for one in found["items"] if one["role"] == "assistant"]

    def look(self, open_page: Open, *, url: str = "", **options: Any) -> Page:
        page = open_page((url or self.server.url) + self.path, **options)
        is_live(page)
        return page


def chat_on(server: Server, agent_id: str = "scripted") -> Asked:
    chat = post(server, "/api/users/local/chats", {"title": "Towers", "agent_id": agent_id})
    return Asked(server, chat["chat_id"])


def is_live(page: Page) -> None:
    expect(page.locator("connection-state")).to_have_text("Live")


def answer(page: Page, number: int = 0) -> Locator:
    return page.locator("answer-stream").nth(number)


def has_ended(page: Page, status: str = "completed", *, number: int = 0) -> None:
    expect(answer(page, number)).to_have_attribute("status", status)


def parts(page: Page, name: str) -> list[str]:
    """What each exchange shows there."""
    places = page.locator(f'.thread [data-part="{name}"]')
    return [re.sub(r"\s+", " ", text).strip() for text in places.all_text_contents()]


def shown(page: Page) -> dict[str, list[str]]:
    """All that the page tells of its questions and answers."""
    for work in page.locator(".thread .work").all():
        if work.get_attribute("open") is None:
            work.locator(".work__bar").click()
    names = ("asker", "asked", "question", "agent", "badge", "doing", "plan", "tools")
    return {name: parts(page, name) for name in (*names, "thoughts", "text", "error", "spent")}


def steps(chat: Asked, message_id: str) -> list[str]:
    """The kinds of what was told of an answer."""
    return [step["type"] for step in call(chat.server, f"/api/messages/{message_id}/events")]


def written(page: Page, number: int = 0) -> str:
    """The text of an answer, as it was written."""
    found: str = answer(page, number).locator("markdown-text").evaluate("it => it.text")
    return found


def post(server: Server, path: str, body: Any) -> Any:
    return call(server, path, json.dumps(body).encode())


def call(server: Server, path: str, body: bytes | None = None, *, method: str = "") -> Any:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    method = method or ("POST" if body else "GET")
    request = urllib.request.Request(server.url + path, body, headers, method=method)
    with urllib.request.urlopen(request) as found:
        return json.load(found)
