"""How tests ask, and follow what is answered."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.clients import Api, Json, eventually, sse

ENDED = ("completed", "error", "cancelled")


class Chatting:
    def __init__(self, api: Api, key: str) -> None:
        self.api = api
        self.key = key

    async def open(self, user: str = "ada", **given: Any) -> str:
        answer = await self.api.post(
            f"/api/users/{user}/chats", json={"title": "Towers", "agent_id": "scripted", **given}
        )
        assert answer.status_code == 201, answer.text
        chat_id: str = answer.json()["chat_id"]
        return chat_id

    async def ask(self, chat: str, *script: Json, content: str = "Go on", **given: Any) -> Json:
        """A question whose answer plays this script."""
        metadata = {"script": list(script)} if script else {}
        answer = await self.api.post(
            f"/api/chats/{chat}/messages", json={"content": content, "metadata": metadata, **given}
        )
        assert answer.status_code == 201, answer.text
        asked: Json = answer.json()
        return {**asked, "chat": chat}

    async def steps(self, asked: Json, *, since: str = "") -> list[Json]:
        """All that its stream tells, by the token in its address."""
        found: list[Json] = []
        async with sse(asked["stream_url"], since=since) as stream:
            assert stream.status == 200
            while True:
                try:
                    found.append(await stream.frame())
                except EOFError:
                    return found

    async def events(self, asked: Json) -> list[Json]:
        answer = await self.api.get(f"/api/messages/{asked['message_id']}/events")
        found: list[Json] = answer.json()
        return found

    async def messages(self, chat: str) -> list[Json]:
        answer = await self.api.get(f"/api/chats/{chat}/messages?page_size=100")
        items: list[Json] = answer.json()["items"]
        return items

    async def answer(self, asked: Json) -> Json:
        (found,) = [
            message
            for message in await self.messages(asked["chat"])
            if message["message_id"] == asked["answer_id"]
        ]
        return found

    async def ended(self, asked: Json, *statuses: str) -> Json:
        """The answer, once it has come to its end."""
        await self.reached(asked, *(statuses or ENDED))
        return await self.answer(asked)

    async def reached(self, asked: Json, *statuses: str) -> None:
        async def has() -> bool:
            return (await self.answer(asked))["status"] in statuses

        await eventually(has)

    async def cancel(self, asked: Json) -> httpx.Response:
        return await self.api.post(
            f"/api/chats/{asked['chat']}/messages/{asked['message_id']}/cancel"
        )

    async def retry(self, asked: Json) -> httpx.Response:
        return await self.api.post(
            f"/api/chats/{asked['chat']}/messages/{asked['message_id']}/retry"
        )


def said(steps: list[Json]) -> str:
    """The answer, as somebody has it who followed these steps."""
    text = ""
    for step in steps:
        if step.get("reset"):
            text = ""
        text += step.get("md", "")
    return text


def kinds(steps: list[Json]) -> list[str]:
    """In order, a row of the same as one."""
    found: list[str] = []
    for step in steps:
        if not found or found[-1] != step["type"]:
            found.append(step["type"])
    return found


def token_of(asked: Json) -> str:
    return parse_qs(urlsplit(asked["stream_url"]).query)["token"][0]
