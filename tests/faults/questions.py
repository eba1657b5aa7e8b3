"""Questions that are put to agents, what must come of them, and who hears the answers."""

import asyncio
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
from websockets.asyncio.client import connect

from tests.clients import Json
from tests.faults.site import Site
from tests.vendors import Answer, FakeVendors, Text, ToolUse

PARTS = 3
INPUT_TOKENS = 25
ENDED_WITHIN_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A question, and what must come of it."""

    agent_id: str
    content: str
    text: str
    input_tokens: int
    cost: Decimal | None
    script: list[Json] = field(default_factory=list)


def scripted(*, tool_ms: int = 100) -> Given:
    script: list[Json] = []
    for part in range(PARTS):
        script += [
            {"say": saying(part), "pieces": 25, "every_ms": 20},
            {
                "tool": "write_file",
                "args": {"path": f"{part}.txt", "content": "stone"},
                "ms": tool_ms,
            },
            {"usage": {"input_tokens": 10, "output_tokens": 5, "cost": "0.001"}},
        ]
    return Given(
        agent_id="scripted",
        content="Build",
        text="".join(map(saying, range(PARTS))),
        input_tokens=10 * PARTS,
        cost=Decimal("0.001") * PARTS,
        script=script,
    )


def modelled(agent_id: str, vendors: FakeVendors) -> Given:
    answers = [
        Answer(
            input_tokens=INPUT_TOKENS,
            pieces=(
                Text(text=saying(part), each=8, pace_s=0.03),
                ToolUse(
                    id=f"call-{part}",
                    name="write_file",
                    arguments={"path": f"{part}.txt", "content": "stone"},
                ),
            ),
        )
        for part in range(PARTS)
    ]
    last = Answer(input_tokens=INPUT_TOKENS, pieces=(Text(text="It stands."),))
    vendors.when("Build a tower", *answers, last)
    return Given(
        agent_id=agent_id,
        content="Build a tower",
        text="".join(map(saying, range(PARTS))) + "It stands.",
        input_tokens=(PARTS + 1) * INPUT_TOKENS,
        cost=None,
    )


def at_length(pieces: int) -> Given:
    """Long enough for whoever comes late, and for whoever goes every second."""
    text = "".join(f"stone {number} " for number in range(pieces))
    return Given(
        agent_id="scripted",
        content="Build",
        text=text,
        input_tokens=0,
        cost=Decimal(0),
        script=[{"say": text, "pieces": pieces, "every_ms": 20}],
    )


class Asked:
    """A question to a site, and everything that one follower hears of the answer."""

    def __init__(self, site: Site, given: Given, client: httpx.AsyncClient) -> None:
        self.site = site
        self.given = given
        self.client = client
        self.steps: list[Json] = []

    async def ask(self) -> None:
        opened = await self.client.post(
            "/api/users/ada/chats", json={"title": "Towers", "agent_id": self.given.agent_id}
        )
        self.chat = opened.json()["chat_id"]
        metadata = {"script": self.given.script} if self.given.script else {}
        answer = await self.client.post(
            f"/api/chats/{self.chat}/messages",
            json={"content": self.given.content, "metadata": metadata},
        )
        assert answer.status_code == 201, answer.text
        self.address = answer.json()["stream_url"]
        self.message_id = answer.json()["message_id"]
        self.following = asyncio.create_task(self._follow())

    @property
    def run_id(self) -> str:
        (run_id,) = {step["run_id"] for step in self.steps if step["type"] == "start"}
        assert isinstance(run_id, str)
        return run_id

    async def ended(self) -> list[Json]:
        async with asyncio.timeout(ENDED_WITHIN_S):
            await self.following
        return self.steps

    async def get(self, path: str) -> Any:
        """Ask again where it says so: connections of a database that was killed are found late."""
        async with asyncio.timeout(ENDED_WITHIN_S):
            while (answer := await self.client.get(path)).status_code == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def _follow(self) -> None:
        while not self.steps or self.steps[-1]["type"] != "end":
            try:
                await by_sse(self, self.steps)
            except httpx.TransportError:
                await asyncio.sleep(0.2)  # the server is gone, and comes back


async def by_sse(asked: Asked, steps: list[Json]) -> None:
    headers = {"Last-Event-ID": steps[-1]["id"]} if steps else {}
    async with asked.client.stream("GET", asked.address, headers=headers) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                steps.append(json.loads(line[6:]))  # noqa: PERF401 - it may end at any of them


async def by_socket(asked: Asked, steps: list[Json]) -> None:
    async with connect(f"ws://127.0.0.1:{asked.site.port}/api/stream") as socket:
        since = steps[-1]["id"] if steps else "0"
        wanted = {"stream": f"message:{asked.message_id}", "since": since}
        await socket.send(json.dumps({"action": "subscribe", **wanted}))
        async for text in socket:
            frame = json.loads(text)
            assert frame["type"] != "error", frame
            if "seq" in frame:
                steps.append(frame)
                if frame["type"] == "end":
                    return


def number_of(step: Json) -> int:
    return int(step["id"].split("_")[1])


def saying(part: int) -> str:
    return "".join(f"stone {part}.{number} " for number in range(25))
