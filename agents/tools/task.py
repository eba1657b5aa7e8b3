"""Asking another agent, whose answer is what the tool finds.

What it does is shown as done by the agent that asked: its calls of tools appear among that one's,
and are remembered with them. Its text and its plan stay here. Where it stands is kept in a hidden
file of the run, so that an interrupted one goes on instead of beginning again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from pydantic import Field

from agents.backends.base import (
    Agent,
    Assignment,
    Backend,
    Json,
    Result,
    Scribe,
    Todo,
    Tool,
    Usage,
    Work,
)
from agents.errors import BackendFailed, ToolFailed
from agents.tools.files import HIDDEN, Files
from agents.tools.ready import Arguments, ReadyTool, counted

SUMMARY_LENGTH = 80


class ToAsk(Arguments):
    agent: str = Field(description="The id of the agent to ask")
    prompt: str = Field(
        min_length=1, description="All that it has to know: it does not see this conversation"
    )


def task_tool(
    *,
    agents: Mapping[str, Agent],
    load: Callable[[Agent], Backend],
    equip: Callable[[Agent, Scribe], Mapping[str, Tool]],
    scribe: Scribe,
    files: Files,
) -> Tool:
    async def ask(wanted: ToAsk) -> Result:
        agent = agents.get(wanted.agent)
        if agent is None:
            raise ToolFailed(f"There is no agent {wanted.agent}: there are {', '.join(agents)}")
        # The same task goes by the same name after an interruption.
        name = sha256(f"{agent.id}\n{wanted.prompt}".encode("utf-8", "replace")).hexdigest()[:12]
        asked = SubScribe(scribe=scribe, agent=agent, name=f"task-{name}", files=files)
        assignment = Assignment(
            agent=agent,
            prompt=wanted.prompt,
            tools=equip(agent, asked),
            state=await asked.resume(),
        )
        try:
            await load(agent).answer(assignment, asked)
        except BackendFailed as error:
            raise ToolFailed(f"{agent.name} failed: {error}") from error
        await asked.forget()
        return Result(text=asked.text, summary=_summary(asked.text))

    known = ", ".join(f"{agent.id} ({agent.name})" for agent in agents.values())
    return ReadyTool(
        name="task",
        description=f"Hand a task to another agent and get its answer. There are: {known}.",
        reads=ToAsk,
        does=ask,
    )


def _summary(text: str) -> str:
    line = " ".join(text[: 4 * SUMMARY_LENGTH].split())
    short = line if len(line) <= SUMMARY_LENGTH else f"{line[: SUMMARY_LENGTH - 1].rstrip()}…"
    return f"{counted(len(text), 'character')}: {short}"


@dataclass(slots=True, kw_only=True)
class SubScribe:
    """Writes down what an asked agent does, with the scribe of the one that asked."""

    scribe: Scribe
    agent: Agent
    name: str
    files: Files
    _pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def _path(self) -> str:
        return f"{HIDDEN}{self.name}"

    async def resume(self) -> Json | None:
        """What the agent kept last, if it was interrupted."""
        noted = await self.files.read(self._path)
        if not noted:
            return None
        kept: Json = json.loads(noted)
        self._pieces = [kept["text"]]
        state: Json = kept["state"]
        return state

    async def forget(self) -> None:
        """The task is done: asked again, it would begin again."""
        if await self.files.read(self._path):
            await self.files.write(self._path, "")

    async def say(self, text: str) -> None:
        self._pieces.append(text)

    async def think(self, text: str) -> None:
        pass

    async def plan(self, items: Sequence[Todo]) -> None:
        pass

    async def status(self, text: str) -> None:
        await self.scribe.status(f"{self.agent.name}: {text}")

    async def call(self, call_id: str, name: str, arguments: Json, work: Work) -> str:
        return await self.scribe.call(f"{self.name}/{call_id}", name, arguments, work)

    async def spend(self, usage: Usage) -> None:
        await self.scribe.spend(usage)

    async def keep(self, state: Json) -> None:
        noted = json.dumps({"state": state, "text": self.text}, ensure_ascii=False)
        await self.files.write(self._path, noted)
