"""Whom one can ask."""

from pytest_django import Settings

from tests.agents.chatting import Chatting
from tests.clients import Api


async def test_agents_are_listed_as_the_settings_name_them(api: Api, settings: Settings) -> None:
    settings.AGENTS = {
        "guide": {**settings.AGENTS["guide"], "prompt": "A secret of the house"},
        "ada": {
            "name": "Ada",
            "backend": "agents.backends.models.Model",
            "model": "anthropic:claude-sonnet-4-5",
        },
    }

    answer = await api.get("/api/agents")

    guide, ada = answer.json()["items"]
    assert (guide["id"], guide["name"], guide["model"]) == ("guide", "Guide", None)
    assert guide["tools"] == list(settings.AGENTS["guide"]["tools"])
    assert ada == {
        "id": "ada",
        "name": "Ada",
        "model": "anthropic:claude-sonnet-4-5",
        "tools": [],
    }
    assert "secret" not in answer.text


async def test_the_guide_and_a_default_are_always_among_them(api: Api) -> None:
    items = (await api.get("/api/agents")).json()["items"]
    assert {"guide", "default"} <= {agent["id"] for agent in items}


async def test_a_question_to_nobody_is_not_asked(chatting: Chatting, api: Api) -> None:
    chat = await chatting.open()
    answer = await api.post(
        f"/api/chats/{chat}/messages", json={"content": "?", "agent_id": "nobody"}
    )
    assert (answer.status_code, answer.json()) == (404, {"error": "Agent not found"})
    assert await chatting.messages(chat) == []


async def test_an_agent_that_is_there_no_more_is_asked_nothing(
    chatting: Chatting, settings: Settings
) -> None:
    everybody = settings.AGENTS
    settings.AGENTS = {**everybody, "temp": everybody["guide"]}
    chat = await chatting.open(agent_id="temp")
    settings.AGENTS = everybody
    answer = await chatting.api.post(f"/api/chats/{chat}/messages", json={"content": "?"})
    assert (answer.status_code, answer.json()) == (404, {"error": "Agent not found"})
    asked = await chatting.ask(chat, agent_id="guide")
    assert (await chatting.answer(asked))["status"] == "pending"


async def test_a_question_may_name_who_answers(chatting: Chatting) -> None:
    chat = await chatting.open()
    asked = await chatting.ask(chat, agent_id="guide")
    (run,) = (await chatting.api.get("/api/projects/tower/runs")).json()["items"]
    assert (run["agentId"], run["answerId"]) == ("guide", asked["answer_id"])
