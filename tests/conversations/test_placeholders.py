"""What comes before the start opens the conversation, and the start fills it in."""

import pytest

from tests.clients import NOW, Api, Json, Socket, said

EARLY: dict[str, Json] = {
    "message.created": said("s-1", "Early"),
    "conversation.completed": {"conversation_id": "s-1", "status": "completed"},
    "conversation.error": {"conversation_id": "s-1", "error_message": "Early"},
    "log.entry": {"conversation_id": "s-1", "content": "Early"},
}


@pytest.mark.parametrize("kind", EARLY)
async def test_what_comes_early_opens_a_placeholder(api: Api, kind: str) -> None:
    answer = await api.ingest(kind, EARLY[kind], timestamp=NOW)

    found = await api.conversation("s-1")

    assert answer.status_code in {200, 201}
    assert (found["startedAt"], found["source"], found["participants"]) == (NOW, "cli", [])


@pytest.mark.parametrize("kind", EARLY)
async def test_a_late_start_fills_it_in(api: Api, key: str, kind: str) -> None:
    await api.ingest(kind, EARLY[kind], timestamp=NOW)
    before = await api.conversation("s-1")
    async with Socket("/api/stream/conversations/s-1", key=key) as socket:
        await socket.frame()
        await api.start("s-1", initial_prompt="Design a tower", max_turns=7)
        frame = await socket.frame()

    found = await api.conversation("s-1")

    assert frame["type"] == "conversation.started"
    assert frame["data"]["conversation"] == found
    assert (found["name"], found["maxTurns"]) == ("Design a tower", 7)
    assert [agent["agentId"] for agent in found["participants"]] == ["a-1"]
    kept = ("status", "totalMessages", "errorMessage", "completedAt", "createdAt")
    assert [found[name] for name in kept] == [before[name] for name in kept]
    assert len((await api.get("/api/conversations")).json()["items"]) == 1


async def test_only_the_first_start_fills_it_in(api: Api) -> None:
    await api.say("s-1", "Early")
    await api.start("s-1", initial_prompt="First")
    await api.start("s-1", initial_prompt="Second", participants=[])

    found = await api.conversation("s-1")

    assert (found["initialPrompt"], len(found["participants"])) == ("First", 1)


async def test_an_unknown_kind_opens_nothing(api: Api) -> None:
    await api.ingest("tower.built", {"conversation_id": "s-1"})

    assert (await api.get("/api/conversations")).json()["total"] == 0
