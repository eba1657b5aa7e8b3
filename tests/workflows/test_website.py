"""From a brief to a website: written piece by piece, measured, and seen alike by everyone."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from agents import roster
from agents.backends.base import Assignment, Scribe
from agents.backends.writer import Writer, writing
from agents.backends.writer.composing import compose
from tests.clients import Api, Json, Socket, eventually, sse
from tests.workflows.running import PROJECT, Workflows, states
from workflows import catalog

BRIEF = (
    "Tower Bakery is a family bakery in Leipzig that bakes sourdough bread with organic flour."
    " For families and commuters in the neighbourhood. We want people to order online."
)
SECTIONS = ["hero", "about"]
MEASURES = ["readability", "length", "repetition", "keywords"]

pytestmark = pytest.mark.usefixtures("worker")


async def written(workflows: Workflows, **given: object) -> Json:
    run = await workflows.start("website-content", brief=BRIEF, **given)
    return await workflows.ended(run)


async def is_completed(api: Api, address: str) -> bool:
    found: Json = (await api.get(address)).json()["run"]
    return bool(found["status"] == "completed")


async def read_until(frame: Callable[[], object], is_last: Callable[[Json], bool]) -> list[Json]:
    found: list[Json] = []
    while not found or not is_last(found[-1]):
        found.append(await frame())  # type: ignore[misc]
    return found


def has_begun_all_bodies() -> Callable[[Json], bool]:
    begun: set[str] = set()

    def is_last(frame: Json) -> bool:
        if "body" in frame.get("section", {}).get("updates", {}):
            begun.add(frame["section"]["sectionId"])
        return len(begun) == len(SECTIONS)

    return is_last


def put_together(frames: list[Json]) -> dict[str, Json]:
    """The page as somebody has it who merged what was told."""
    page: dict[str, Json] = {}
    for frame in frames:
        section = frame["section"]
        page.setdefault(section["sectionId"], {}).update(section["updates"])
    return page


class Halting(Writer):
    """Stops in the middle of each body, until it is let go on."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()

    async def write(self, part: str, section: str, brief: str, *rest: Any) -> str:
        if part != "body":
            return await super().write(part, section, brief, *rest)
        scribe, said = rest[-1], compose(section, brief)[part]
        await scribe.say(said[:20])
        await self.may_go_on.wait()
        await scribe.say(said[20:])
        return said


async def test_three_who_watch_see_the_same(
    workflows: Workflows, api: Api, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Halting()
    monkeypatch.setattr(roster, "backend_of", lambda path: writer)
    async with (
        Socket(f"/api/stream{PROJECT[4:]}", key=key) as one,
        Socket(f"/api/stream{PROJECT[4:]}", key=key) as other,
        sse(f"{PROJECT}/preview/stream", key=key) as third,
    ):
        for socket in (one, other):
            assert (await socket.frame())["type"] == "connected"
        run = await workflows.start("website-content", brief=BRIEF, sections=SECTIONS)

        def ends(frame: Json) -> bool:
            is_of_run = frame["type"] == "workflow.run.updated"
            return is_of_run and bool(frame["workflow"]["status"] == "completed")

        begun = await read_until(one.frame, has_begun_all_bodies())
        writer.may_go_on.set()
        rest, second = await asyncio.gather(*(read_until(s.frame, ends) for s in (one, other)))
        first = [*begun, *rest]
        told = [frame for frame in first if frame["type"] == "preview.section.updated"]
        heard = [await third.frame() for _ in told]

    assert first == second
    assert [frame["section"] for frame in heard] == [frame["section"] for frame in told]
    assert [frame["$id"] for frame in heard] == [frame["id"] for frame in told]
    assert heard[-1]["sectionId"] == heard[-1]["id"] == told[-1]["section"]["sectionId"]
    for section_id in SECTIONS:
        pieces = [f["section"] for f in told if f["section"]["sectionId"] == section_id]
        # Laid out, then one part after the other, the body in more than one piece.
        assert pieces[0]["updates"].keys() == {"title", "kind"}
        assert len([one for one in pieces if "body" in one["updates"]]) > 1
        assert [one["complete"] for one in pieces] == [False] * (len(pieces) - 1) + [True]
        assert put_together(told)[section_id].items() >= compose(section_id, BRIEF).items()
    scores = [frame for frame in first if frame["type"] == "quality.updated"]
    # The sections are measured side by side.
    *of_sections, of_all = [one["quality"]["sectionId"] for one in scores]
    assert (sorted(of_sections), of_all) == (sorted(SECTIONS), None)
    assert first.index(scores[0]) > first.index(told[-1])
    assert scores[0]["quality"]["runId"] == run["id"]
    assert [score["measure"] for score in scores[0]["quality"]["scores"]] == MEASURES


async def test_who_comes_late_finds_what_was_written(workflows: Workflows, api: Api) -> None:
    run = await written(workflows, sections=SECTIONS)
    assert states(run) == dict.fromkeys(["layout", "write", "measure", "whole"], "completed")

    preview = (await api.get(f"{PROJECT}/preview")).json()
    quality = (await api.get(f"{PROJECT}/quality")).json()

    assert (preview["runId"], quality["runId"]) == (run["id"], run["id"])
    assert [one["sectionId"] for one in preview["items"]] == SECTIONS
    assert [one["updates"] for one in preview["items"]] == [
        compose(section_id, BRIEF) for section_id in SECTIONS
    ]
    assert all(one["complete"] for one in preview["items"])
    assert next(one["sectionId"] for one in quality["items"]) is None
    assert {one["sectionId"] for one in quality["items"]} == {None, *SECTIONS}
    assert run["output"]["quality"]["total"] == quality["items"][0]["total"]
    named = await api.get(f"{PROJECT}/preview", params={"run": run["id"]})
    assert named.json()["items"] == preview["items"]
    assert (await api.get(f"{PROJECT}/quality", params={"run": "nobody"})).status_code == 404


async def test_nothing_is_written_without_a_brief_and_sections_have_names(
    workflows: Workflows, api: Api
) -> None:
    address = f"{PROJECT}/workflows/website-content/runs"
    for given in ({}, {"brief": 7}, {"brief": "x", "sections": "hero"}):
        answer = await api.post(address, json={"input": given})
        assert answer.status_code == 400, answer.text
    run = await written(workflows, sections=[7])
    assert run["status"] == "failed"
    assert "sections.0" in run["error"]
    assert (await api.get(f"{PROJECT}/preview")).json()["items"] == []


@pytest.mark.parametrize(
    ("answer", "judged"),
    [('{"value": 40, "why": "Dull."}', 40), ('{"value": 140, "why": "Dull."}', None)],
)
async def test_a_judge_is_heard_where_the_settings_name_one(
    workflows: Workflows, settings: Settings, answer: str, judged: int | None
) -> None:
    judge = {"name": "Judge", "backend": "tests.workflows.test_website.Judge", "prompt": answer}
    settings.AGENTS = {**settings.AGENTS, "judge": judge}
    catalog.shipped.cache_clear()
    try:
        run = await written(workflows, sections=["hero"])
    finally:
        catalog.shipped.cache_clear()

    if judged is None:
        assert run["error"].startswith("whole: The answer of the judge cannot be read: value")
    else:
        scores = run["output"]["quality"]["scores"]
        assert {one["measure"]: one["value"] for one in scores}["judge"] == judged
        assert scores[-1]["weight"] > 0.4


class Judge:
    """Answers with what its prompt says."""

    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        await scribe.say(assignment.agent.prompt)


async def test_a_run_that_is_run_again_fills_the_same_sections_once(
    workflows: Workflows, api: Api
) -> None:
    run = await written(workflows, sections=["hero"])
    before = (await api.get(f"{PROJECT}/preview")).json()["items"]
    assert (await workflows.do(run, "rerun", node="write")).status_code in (200, 201)
    await workflows.ended(run)

    after = (await api.get(f"{PROJECT}/preview")).json()["items"]
    assert [{**one, "updatedAt": ""} for one in after] == [
        {**one, "updatedAt": ""} for one in before
    ]
    items = (await api.get(f"{PROJECT}/quality")).json()["items"]
    assert [one["sectionId"] for one in items] == [None, "hero"]


async def test_nobody_writes_on_the_pages_of_others(workflows: Workflows, api: Api) -> None:
    run = await written(workflows, sections=["hero"])
    before = (await api.get(f"{PROJECT}/preview")).json()["items"]

    for preview in (
        {"run": run["id"], "section": "unheard-of"},
        {"run": "nobody\u0000", "section": "hero"},
        {"run": 7},
        "hero",
        None,
    ):
        answer = await api.post(
            f"{PROJECT}/runs",
            json={"agentId": "writer", "prompt": "Boats", "metadata": {"preview": preview}},
        )
        assert answer.status_code == 201
        address = f"{PROJECT}/runs/{answer.json()['run']['id']}"
        await eventually(functools.partial(is_completed, api, address))

    assert (await api.get(f"{PROJECT}/preview")).json()["items"] == before


@pytest.fixture(autouse=True)
def _faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "PAUSE_S", 0.01)
