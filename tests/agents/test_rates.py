"""Questions are counted, whichever door they come in by; to look is not."""

import json
from typing import Any

import pytest
from channels.db import database_sync_to_async

from conversations.models import Project
from conversations.services import make_key
from tests.agentpipe.knocking import Heard, knock
from tests.clients import Api

LIMIT, REMAINING = "x-ratelimit-limit", "x-ratelimit-remaining"


async def key_with(project: Project, **rates: str) -> str:
    _, secret = await database_sync_to_async(make_key)(project, "rated", rates=rates)
    return str(secret)


async def post(target: str, key: str, **body: Any) -> Heard:
    headers = {"content-type": "application/json"}
    data = json.dumps(body).encode()
    return await knock(target, method="POST", key=key, headers=headers, body=data, pieces=1)


async def opened_chat(key: str) -> str:
    heard = await post("/api/users/ada/chats", key)
    assert LIMIT not in heard.headers
    chat_id: str = heard.json()["chat_id"]
    return chat_id


async def test_sixty_questions_a_minute(api: Api, project: Project) -> None:
    key = await key_with(project)
    chat = await opened_chat(key)
    first = await post(f"/api/chats/{chat}/messages", key, content="How high?")
    looked = await knock(f"/api/chats/{chat}/messages", key=key)

    assert (first.status, first.headers[LIMIT], first.headers[REMAINING]) == (201, "60", "59")
    assert LIMIT not in looked.headers


@pytest.mark.parametrize(
    ("door", "body"),
    [
        ("chats/{chat}/messages", {"content": "Again?"}),
        ("chats/{chat}/messages/{message}/retry", {}),
        ("projects/tower/runs", {"prompt": "Again?"}),
        ("projects/tower/runs/{run}/resume", {}),
        ("command-center/message", {"agentId": "guide", "message": "Again?"}),
    ],
)
async def test_all_doors_to_an_agent_count_together(
    api: Api, project: Project, door: str, body: dict[str, str]
) -> None:
    key = await key_with(project, messages="2/60")
    chat = await opened_chat(key)
    asked = (await post(f"/api/chats/{chat}/messages", key, content="How high?")).json()
    (run,) = (await knock("/api/projects/tower/runs", key=key)).json()["items"]
    names = {"chat": chat, "message": asked["message_id"], "run": run["id"]}
    cancelled = await post(f"/api/chats/{chat}/messages/{asked['message_id']}/cancel", key)
    assert (cancelled.status, LIMIT in cancelled.headers) == (200, False)
    target = f"/api/{door.format(**names)}"

    taken, refused = [await post(target, key, **body) for _ in range(2)]

    assert taken.status in {200, 201}
    assert (taken.headers[LIMIT], taken.headers[REMAINING]) == ("2", "0")
    assert refused.status == 429
    assert refused.headers["content-type"] == "application/json"
    wait_s = int(refused.headers["retry-after"])
    assert 0 < wait_s <= 60
    assert refused.json() == {"error": "Rate limit exceeded", "retryAfter": wait_s}
    # To stop an agent is never too much.
    (newest, *_) = (await knock("/api/projects/tower/runs", key=key)).json()["items"]
    stopped = await post(f"/api/projects/tower/runs/{newest['id']}/cancel", key)
    assert stopped.status == 200


async def test_following_an_answer_counts_as_a_stream(api: Api, project: Project) -> None:
    key = await key_with(project, streams="1/60")
    chat = await opened_chat(key)
    asked = (await post(f"/api/chats/{chat}/messages", key, content="How high?")).json()
    target, _, query = asked["stream_url"].partition("?")

    first, second = [await knock(target, query=query, pieces=1) for _ in range(2)]

    assert (first.status, first.headers[LIMIT]) == (200, "1")
    assert second.status == 429
