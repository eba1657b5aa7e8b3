"""What a tool node can use: what agents use to look into the record, and what the settings name.

A tool with an effect has it once, however often a worker dies. One whose effect is in the database
is `InTransaction`: it is committed together with its result. One whose effect is elsewhere is
`Outside`: it may be begun again, and tells by `task.key`, which is the same each time, what it has
done before.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

from agents.backends.base import Json
from agents.tools.ready import Arguments as Arguments
from agents.tools.ready import ReadyTool
from agents.tools.record import record_tools
from conversations.models import Project
from workflows.models import WorkflowRun

A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a tool is called for."""

    run: WorkflowRun
    node_id: str
    # The place in the list, where a node maps over one.
    item: int | None
    key: str

    @property
    def project(self) -> Project:
        return self.run.project


@dataclass(frozen=True, slots=True, kw_only=True)
class InTransaction(Generic[A]):
    """Called inside the transaction that keeps what it answers; it does nothing but use it."""

    description: str
    reads: type[A]
    does: Callable[[Task, A], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside(Generic[A]):
    """Called as often as it takes, always with the same key."""

    description: str
    reads: type[A]
    does: Callable[[Task, A], Awaitable[Any]]


NodeTool = InTransaction[Any] | Outside[Any]


@cache
def tools() -> Mapping[str, NodeTool]:
    """By name."""
    return {
        **_looking(),
        **{name: import_string(path) for name, path in settings.WORKFLOW_TOOLS.items()},
    }


def _looking() -> dict[str, NodeTool]:
    found: dict[str, NodeTool] = {}
    for tool in record_tools(Project()):
        assert isinstance(tool, ReadyTool)
        found[tool.name] = Outside(
            description=tool.description, reads=tool.reads, does=_looker(tool.name)
        )
    return found


def _looker(name: str) -> Callable[[Task, Any], Awaitable[Any]]:
    async def look(task: Task, wanted: Arguments) -> Json:
        tool = next(tool for tool in record_tools(task.project) if tool.name == name)
        assert isinstance(tool, ReadyTool)
        result = await tool.does(wanted)
        found: Json = json.loads(result.text)
        return found

    return look
