"""The tools that an agent is given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from agents.backends.base import Agent, Backend, Scribe, Tool
from agents.tools.files import Files, file_tools
from agents.tools.record import record_tools
from agents.tools.task import task_tool
from conversations.models import Project

# An agent may ask another, and that one a third; the third asks nobody.
DEEPEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where an agent works: what it may see, what is its own, and whom it may ask."""

    project: Project
    files: Files
    scribe: Scribe
    agents: Mapping[str, Agent]
    load: Callable[[Agent], Backend]
    depth: int = 0


def toolbox(names: Sequence[str], workplace: Workplace) -> dict[str, Tool]:
    """The tools of these names; a name that no tool has is left out."""
    tools = [*record_tools(workplace.project), *file_tools(workplace.files)]
    if workplace.depth < DEEPEST:
        tools.append(_task(workplace))
    return {tool.name: tool for tool in tools if tool.name in names}


def _task(workplace: Workplace) -> Tool:
    def equip(agent: Agent, scribe: Scribe) -> Mapping[str, Tool]:
        inside = replace(workplace, scribe=scribe, depth=workplace.depth + 1)
        return toolbox(agent.tools, inside)

    return task_tool(
        agents=workplace.agents,
        load=workplace.load,
        equip=equip,
        scribe=workplace.scribe,
        files=workplace.files,
    )
