"""What agents tell on streams and at their doors, one file per story."""

import json
import re
from typing import Any

import pytest

from agents import scribe
from agents.backends import scripted
from tests.agents.chatting import Chatting
from tests.agents.test_command_center import commanded, rest_of
from tests.clients import Api, Json, Socket
from tests.contract import golden

OTHERS = {
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"): "$time",
    re.compile(r"(?<=token=)[\w:-]+"): "$token",
    re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"): "$another-chat",
    re.compile(r"\b[0-9a-f]{24}\b"): "$another",
}
# Measured, or a matter of when.
MEASURED = {"ms", "ms_total", "durationMs", "duration", "processing_time_ms"}
MEASURED |= {"waiting_for_search", "search_documents", "estimatedTimeRemaining"}
ENDINGS = {"agent.run.completed", "agent.run.failed"}


class Story:
    """What came of a script, with names where every run has another value."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def told(self, value: Any) -> Any:
        text = json.dumps(value)
        for name, found in self.names.items():
            text = text.replace(found, f"${name}")
        for pattern, name in OTHERS.items():
            text = pattern.sub(name, text)
        return golden.normalised(_unmeasured(json.loads(text)))


def _unmeasured(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: f"${name}" if name in MEASURED and inner is not None else _unmeasured(inner)
            for name, inner in value.items()
        }
    return [_unmeasured(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture(autouse=True)
def _no_interim_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scribe, "PROGRESS_EVERY_S", float("inf"))


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("name", golden.files("agents"))
async def test_a_story_is_told_as_was_agreed(
    api: Api, key: str, chatting: Chatting, name: str
) -> None:
    wanted = golden.read("agents", name)
    assert await story_of(wanted, api, key, chatting) == wanted


async def story_of(wanted: Json, api: Api, key: str, chatting: Chatting) -> Json:
    story = Story()
    chat = await chatting.open()
    async with Socket("/api/stream/projects/tower", key=key) as socket:
        await socket.frame()
        asked = await chatting.ask(chat, *wanted["script"], content="How high?")
        steps = await chatting.steps(asked)
        for step in steps:
            assert step.pop("$id") == step["id"]
        frames = [await socket.frame()]
        while frames[-1]["type"] not in ENDINGS:
            frames.append(await socket.frame())
    story.names = {
        "chat": chat,
        "question": asked["message_id"],
        "answer": asked["answer_id"],
        "run": steps[0]["run_id"],
    }
    found: Json = {
        "script": wanted["script"],
        "asked": story.told({key: value for key, value in asked.items() if key != "chat"}),
        "steps": story.told(steps),
        "frames": story.told(frames),
        "answers": [],
    }
    for step in wanted["answers"]:
        method, _, path = step["request"].partition(" ")
        for each, value in story.names.items():
            path = path.replace(f"${each}", value)
        answer = await api.request(method, path, json=step.get("body"))
        assert answer.headers["content-type"] == "application/json"
        shown = {"status": answer.status_code, "answer": story.told(answer.json())}
        found["answers"].append(
            {**{name: step[name] for name in ("request", "body") if name in step}, **shown}
        )
    return found


@pytest.mark.usefixtures("worker")
async def test_the_command_center_answers_as_was_agreed(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = golden.read("", "command_center")
    for story in wanted:
        monkeypatch.setattr(scripted, "DEMO", story["script"])
        async with commanded(key) as stream:
            assert [list(told) for told in await rest_of(stream)] == story["told"]
