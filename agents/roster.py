"""The agents that the settings name."""

import gc
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from agents.backends.base import Agent, Backend
from agents.errors import AgentNotFound


def agent_named(agent_id: str) -> Agent:
    described: dict[str, Any] | None = settings.AGENTS.get(agent_id)
    if described is None:
        raise AgentNotFound
    return Agent(id=agent_id, **described)


def agents() -> list[Agent]:
    return [agent_named(agent_id) for agent_id in settings.AGENTS]


def load() -> None:
    """What the first question to the agent that everybody asks would have to wait for."""
    backend_of(agent_named("default").backend)


@cache
def backend_of(path: str) -> Backend:
    """Imported when it is first asked: a library of models takes its time."""
    made: type[Backend] = import_string(path)
    # What came with it stays: each full collection that looks at it stops a busy worker for long.
    gc.collect()
    gc.freeze()
    return made()
