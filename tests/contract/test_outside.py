"""What comes from outside, what is answered, and what followers then hear."""

import json
import re
from typing import Any

from tests.clients import Api, Json, Socket
from tests.contract import golden

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
# What is told with a time of its own keeps it.
GIVEN = "2026-11-21T1"


def shown(value: Any) -> Any:
    text = TIME.sub(
        lambda found: found[0] if found[0].startswith(GIVEN) else "$time", json.dumps(value)
    )
    return golden.normalised(json.loads(text))


async def test_events_from_outside_are_told_as_was_agreed(api: Api, key: str) -> None:
    wanted = golden.read("", "outside")
    assert await story_of(wanted, api, key) == wanted


async def story_of(wanted: Json, api: Api, key: str) -> Json:
    found: Json = {"requests": []}
    async with Socket("/api/stream/projects/tower?since=0", key=key) as socket:
        await socket.frame()
        for request in wanted["requests"]:
            method, path = request["request"].split(" ")
            answer = await api.request(method, path, json=request.get("body"))
            asked = {name: request[name] for name in ("request", "body") if name in request}
            told = {"status": answer.status_code, "answer": shown(answer.json())}
            found["requests"].append({**asked, **told})
        frames = await socket.frames(len(wanted["frames"]))
        assert await socket.receive_nothing()
    return {**found, "frames": shown(frames)}
