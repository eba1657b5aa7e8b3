"""Sections of a page: written while the worker dies, written from outside, and written anew."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async

from agents import events, recorder, roster, services, tasks, working
from agents.backends.writer import Writer, writing
from agents.backends.writer.composing import compose
from agents.backends.writer.form import PARTS, written
from agents.models import AgentRun
from agents.scribe import RunScribe
from conversations.models import Project
from streaming import replay
from streaming.publish import transactional
from tests.clients import Api, Json, eventually
from workflows.content import showing
from workflows.models import WorkflowRun
from workflows.preview import sections

BRIEF = "Tower Bakery is a family bakery in Leipzig that bakes sourdough bread for everyone."


@pytest.fixture
def run(project: Project) -> WorkflowRun:
    run = WorkflowRun.objects.create(project=project, workflow_name="website")
    sections.lay_out(
        run, [{"id": name, "title": name.title(), "kind": name} for name in ("hero", "about")]
    )
    return run


def told(run: WorkflowRun, section_id: str = "hero") -> list[Json]:
    frames = replay.since(run.topic, None, limit=1000).frames
    found = [frame["section"] for frame in frames if frame["type"] == "preview.section.updated"]
    return [section for section in found if section["sectionId"] == section_id]


class Worker:
    """Carries out one run of an agent, and can be killed."""

    def __init__(self, run: AgentRun) -> None:
        self.run = run

    async def begin(self) -> None:
        commission = await recorder.in_database(working.take_up, self.run.pk)
        assert commission is not None
        scribe = RunScribe(commission, recorder.Recorder())
        self.task = asyncio.create_task(tasks._carry_out(commission, scribe))

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


class Halting(Writer):
    """Stops in the middle of a part, until it is let go on."""

    def __init__(self, part: str) -> None:
        self.part = part

    async def write(self, part: str, section: str, brief: str, *rest: Any) -> str:
        if part == self.part:
            await rest[-1].say(compose(section, brief)[part][:9])
            await asyncio.Event().wait()
        return await super().write(part, section, brief, *rest)


@pytest.mark.parametrize("part", PARTS)
async def test_what_a_dead_worker_has_shown_is_neither_lost_nor_shown_twice(
    api: Api, run: WorkflowRun, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "PAUSE_S", 0)
    writer = Halting(part)
    monkeypatch.setattr(roster, "backend_of", lambda path: writer)
    asked = await database_sync_to_async(services.start_run)(
        run.project,
        agent_id="writer",
        prompt=f"Section: hero\n\n{BRIEF}",
        metadata={"preview": {"run": run.public_id, "section": "hero"}},
    )
    first = Worker(asked)
    await first.begin()

    async def has_begun() -> bool:
        return any(part in one["updates"] for one in await database_sync_to_async(told)(run))

    await eventually(has_begun)
    await first.kill()
    writer.part = ""
    second = Worker(asked)
    await second.begin()
    await second.task

    pieces = await database_sync_to_async(told)(run)
    shown: dict[str, str] = {}
    for piece in pieces[1:]:
        for name, said in piece["updates"].items():
            assert said.startswith(shown.get(name, "")), piece
            shown[name] = said
    assert shown == compose("hero", BRIEF)
    assert [one["complete"] for one in pieces].count(True) == 1


def add(run: WorkflowRun, text: str, *, by: str = "one", is_anew: bool = False) -> None:
    transactional(sections.write_on)(run, "hero", by=by, text=text, is_anew=is_anew)


def test_another_attempt_takes_back_what_the_first_has_shown(run: WorkflowRun) -> None:
    add(run, "# Bread\n\n## And more")
    add(run, "# Cake", by="two")
    assert told(run)[-1]["updates"] == {"headline": "Cake", "subheadline": ""}

    add(run, "# Pie\n\n## Of apples", by="two", is_anew=True)
    assert told(run)[-1]["updates"] == {"headline": "Pie", "subheadline": "Of apples"}
    (hero, about) = sections.of_run(run)
    assert hero.content["parts"] == {"headline": "Pie", "subheadline": "Of apples"}
    assert (about.content["parts"], about.is_complete) == ({}, False)


def test_not_every_piece_is_told_and_nothing_is_left_out(
    run: WorkflowRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "TOLD_EVERY", timedelta(hours=1))
    whole = written(compose("about", BRIEF))
    for place in range(len(whole)):
        add(run, whole[place])

    pieces = told(run)
    # Laid out, each part as it begins, and the whole.
    assert len(pieces) == 1 + len(PARTS) + 1
    merged: dict[str, Any] = {}
    for piece in pieces:
        merged |= piece["updates"]
    assert merged == {"title": "Hero", "kind": "hero", **compose("about", BRIEF)}
    assert pieces[-1]["complete"]


def test_nobody_writes_on_a_page_of_another_project(run: WorkflowRun) -> None:
    elsewhere = Project.objects.create(slug="elsewhere")
    named = {"preview": {"run": run.public_id, "section": "hero"}}
    for project, expected in ((elsewhere, {}), (run.project, {"headline": "Bread"})):
        asked = services.start_run(project, agent_id="writer", prompt="Bread", metadata=named)
        transactional(showing.read_along)(asked, [events.content("# Bread")])
        assert sections.of_run(run)[0].content["parts"] == expected


def test_what_is_written_elsewhere_is_merged_as_it_is_told(run: WorkflowRun) -> None:
    for target in (run, None):
        sections.show(run.project, "news", {"headline": "A"}, is_complete=False, run=target)
        sections.show(run.project, "news", {"body": "B"}, is_complete=True, run=target)

    *_, news = sections.of_run(run)
    assert (news.content["parts"], news.is_complete) == ({"headline": "A", "body": "B"}, True)
    (alone,) = sections.newest_of(run.project)
    assert (alone.run, alone.content["parts"]) == (None, {"headline": "A", "body": "B"})
