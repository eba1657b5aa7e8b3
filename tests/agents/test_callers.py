"""Who may ask and follow: at this machine without a key, signed in, or by the token of a stream."""

import json
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from conversations.models import Membership, Project
from tests.agentpipe.knocking import Heard, knock, signed_in
from tests.agents.chatting import Chatting, said
from tests.clients import Api, Socket, sse

SCRIPT = [{"say": "Once."}]


async def post(target: str, body: Any, *, pieces: int = 3, **who: Any) -> Heard:
    headers = {"content-type": "application/json", **who.pop("headers", {})}
    raw = json.dumps(body).encode()
    return await knock(target, method="POST", headers=headers, body=raw, pieces=pieces, **who)


@pytest.mark.usefixtures("worker", "api")
async def test_at_this_machine_nobody_needs_a_key(settings: Settings) -> None:
    settings.LOCAL_MODE = True
    chat = (await post("/api/users/ada/chats", {"agent_id": "scripted"})).json()["chat_id"]
    question = {"content": "How high?", "metadata": {"script": SCRIPT}}
    asked = (await post(f"/api/chats/{chat}/messages", question)).json()
    run = (await post("/api/projects/default/runs", {"prompt": "How high?"})).json()["run"]

    for address in (asked["stream_url"], asked["stream_url"].partition("?")[0]):
        async with sse(address) as stream:
            steps = [await stream.frame()]
            while steps[-1]["type"] != "end":
                steps.append(await stream.frame())
        assert said(steps) == "Once."
    for stream_name in (f"message:{asked['message_id']}", f"run:{run['id']}"):
        async with Socket("/api/stream") as socket:
            await socket.frame()
            await socket.send_json_to({"action": "subscribe", "stream": stream_name})
            assert (await socket.frame())["type"] == "subscribed"
    for target in (
        "/api/agents",
        "/api/users/ada",
        f"/api/chats/{chat}/messages",
        f"/api/messages/{asked['message_id']}/events",
        f"/api/projects/default/runs/{run['id']}/events",
    ):
        heard = await knock(target)
        assert (heard.status, "x-ratelimit-limit" in heard.headers) == (200, False)
    command = {"agentId": "guide", "message": "How high?"}
    commanded = await post("/api/command-center/message", command, pieces=1)
    assert (commanded.status, commanded.body) == (200, b"retry: 3000\n\n")


async def test_the_page_of_somebody_else_asks_nothing_here(
    project: Project, settings: Settings
) -> None:
    settings.LOCAL_MODE = True
    for target, body in (
        ("/api/users/ada/chats", {}),
        ("/api/projects/default/runs", {"prompt": "?"}),
        ("/api/command-center/message", {"agentId": "guide", "message": "?"}),
    ):
        heard = await post(target, body, headers={"origin": "https://evil.example"})
        assert (heard.status, heard.error) == (401, "Missing Authorization header")
        plain = await post(target, body, headers={"content-type": "text/plain"})
        assert plain.status == 415


async def test_people_ask_in_the_projects_they_are_members_of(api: Api, bob: User) -> None:
    other = await Project.objects.acreate(slug="bridge")
    await Membership.objects.acreate(project=other, user=bob)
    who = await database_sync_to_async(signed_in)(bob)

    for project in ("tower", "bridge"):
        command = {"agentId": "guide", "message": f"Of the {project}"}
        heard = await knock(
            "/api/command-center/message",
            method="POST",
            query=f"project={project}",
            headers={"content-type": "application/json", **who},
            body=json.dumps(command).encode(),
            pieces=1,
        )
        assert heard.status == 200
        # They are users under their own names.
        listed = await knock("/api/users/bob/chats", query=f"project={project}", headers=who)
        assert [chat["title"] for chat in listed.json()["items"]] == [f"Of the {project}"]
    assert (await api.get("/api/users/bob/chats")).json()["total"] == 1


async def test_without_the_token_of_a_form_nobody_asks_for_somebody(api: Api, bob: User) -> None:
    who = await database_sync_to_async(signed_in)(bob)
    del who["x-csrftoken"]
    heard = await post("/api/users/bob/chats", {}, headers=who)
    assert heard.status == 403
    assert heard.error


@pytest.mark.usefixtures("worker")
async def test_a_token_opens_its_stream_for_ten_minutes(
    chatting: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await chatting.ask(await chatting.open(), *SCRIPT)
    await chatting.ended(asked)
    later = timezone.now().timestamp() + 601

    for address in (asked["stream_url"], f"{asked['stream_url']}&unnamed=1"):
        async with sse(address) as stream:
            assert stream.status == 200
        with monkeypatch.context() as patched:
            patched.setattr("django.core.signing.time.time", lambda: later)
            async with sse(address) as stream:
                assert stream.status == 401


@pytest.mark.usefixtures("worker")
async def test_who_follows_by_a_token_hears_that_the_chat_was_deleted(
    chatting: Chatting, api: Api
) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Once "}, {"wait_ms": 60_000})
    async with sse(asked["stream_url"]) as stream:
        assert [(await stream.frame())["type"] for _ in range(2)] == ["start", "content"]
        await api.delete(f"/api/chats/{asked['chat']}")
        last = await stream.frame()
        assert (last["type"], last["status"]) == ("end", "cancelled")
        with pytest.raises(EOFError):
            await stream.frame()
    async with sse(asked["stream_url"]) as stream:
        assert stream.status == 404
    assert (await api.get("/api/projects/tower/runs")).json()["total"] == 0
