"""A line of the log says on whose behalf it was written."""

import asyncio

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from agentpipe import server
from agents import roster
from agents.backends.base import Assignment, Scribe
from tests.agentpipe.knocking import knock
from tests.agents.chatting import Chatting
from tests.agents.conftest import stopped
from tests.clients import Api


class Broken:
    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        raise RuntimeError


async def test_of_a_request_it_names_the_project(
    api: Api, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentpipe.jobs._COUNT", "SELECT 1 / 0")
    with capture_logs(processors=[merge_contextvars]) as lines:
        await knock("/metrics", key=key, headers={"x-request-id": "edge-9"})

    (line,) = [line for line in lines if line["event"] == "metrics.no_queue"]
    assert (line["request"], line["project"]) == ("edge-9", "tower")


async def test_of_a_worker_it_names_the_job_and_the_run(
    api: Api, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "backend_of", lambda path: Broken())
    chatting = Chatting(api, key)
    with capture_logs(processors=[merge_contextvars]) as lines:
        asked = await chatting.ask(await chatting.open())
        working = asyncio.create_task(server.keep_working())
        await chatting.ended(asked)
        await stopped(working)

    (line,) = [line for line in lines if line["event"] == "run.failed"]
    assert (line["task"], line["project"]) == ("agents.answer", "tower")
    assert line["job"] > 0
    assert len(line["run"]) == 24
