"""Workflows are carried out by a real worker, in the loop of the test."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.agents.conftest import worker as worker
from tests.clients import Api
from tests.workflows.running import Workflows
from workflows.tools import tools

TOOLS = "tests.workflows.tools"


@pytest.fixture(autouse=True)
def _tools(settings: Settings) -> Iterator[None]:
    names = ("note", "stumble", "dawdle", "say_back", "lie")
    own = {name: f"{TOOLS}.{name}" for name in names}
    settings.WORKFLOW_TOOLS = {**settings.WORKFLOW_TOOLS, **own}
    tools.cache_clear()
    yield
    tools.cache_clear()


@pytest.fixture
def workflows(api: Api) -> Workflows:
    return Workflows(api)
