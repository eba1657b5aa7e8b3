"""Searches as a client asks them, and something to be found."""

from conversations.ingest.receive import receive
from conversations.models import Project
from tests.clients import NOW, Api, Json, said, started

LIST = "/api/conversations"


async def search(api: Api, query: str, **filters: str | int) -> list[Json]:
    answer = await api.get(LIST, params={"q": query, **filters})
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


async def found(api: Api, query: str, **filters: str | int) -> list[str]:
    return [item["id"] for item in await search(api, query, **filters)]


def highlighted(match: Json) -> list[str]:
    return [match["text"][start:end] for start, end in match["highlights"]]


def record_many(project: Project, count: int, content: str = "tigers") -> None:
    start = {"type": "conversation.started", "data": started("s-1"), "timestamp": NOW}
    messages = [
        {"type": "message.created", "data": said("s-1", f"{content} {number}")}
        for number in range(count)
    ]
    receive([start, *messages], project=project)
