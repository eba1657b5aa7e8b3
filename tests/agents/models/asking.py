"""Agents that ask a model, and tools for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents import roster
from agents.backends.base import Agent, Assignment, Backend, Json, Result, Tool, Turn
from tests.agents.scribes import MemoryScribe

ANTHROPIC = "anthropic:claude-haiku-4-5"
OPENAI = "openai:gpt-4o"
BOTH = (ANTHROPIC, OPENAI)


@dataclass(slots=True)
class Recorder:
    """A tool that remembers what it was called with."""

    name: str = "look_up"
    description: str = "Looks something up"
    find: Callable[[Json], str] = lambda arguments: f"about {arguments['what']}"
    calls: list[Json] = field(default_factory=list)
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {
            "type": "object",
            "properties": {"what": {"type": "string"}},
            "required": ["what"],
            "additionalProperties": False,
        }
    )

    async def __call__(self, arguments: Json) -> Result:
        self.calls.append(arguments)
        return Result(text=self.find(arguments), summary="found")


def assignment(
    model: str = ANTHROPIC,
    *tools: Tool,
    question: str = "How high is the tower?",
    history: Sequence[Turn] = (),
    state: Json | None = None,
    **about: Any,
) -> Assignment:
    names = tuple(tool.name for tool in tools)
    agent = Agent(id="ada", name="Ada", backend="", model=model, tools=names, **about)
    return Assignment(
        agent=agent,
        prompt=question,
        history=history,
        tools={tool.name: tool for tool in tools},
        state=state,
    )


def model_backend() -> Backend:
    """Loaded where it is asked, as in the product: the other tests need no library of models."""
    return roster.backend_of("agents.backends.models.Model")


async def answered(given: Assignment) -> MemoryScribe:
    scribe = MemoryScribe()
    await model_backend().answer(given, scribe)
    return scribe
