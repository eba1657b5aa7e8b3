"""The page of a project: its shell at once, its parts as they are ready, in one response."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User

from conversations.models import Project
from tests.agentpipe.knocking import knock, signed_in
from tests.clients import Api, Json, Sse, sse
from workflows.models import WorkflowRun
from workflows.preview import sections
from workflows.project import parts, streamed
from workflows.quality import measures, recording, scoring

ADDRESS = "/projects/tower"
HERO = {"headline": "Fresh <bread>", "subheadline": "Daily", "body": "We bake.", "cta": "Order"}


@pytest.fixture
def as_alice(alice: User) -> dict[str, str]:
    return signed_in(alice)


@pytest.fixture
def as_charlie(charlie: User) -> dict[str, str]:
    return signed_in(charlie)


@pytest.fixture
def held_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], threading.Event]]:
    """Parts of the page that are not ready before they are let go."""
    gates: list[threading.Event] = []

    def hold(name: str) -> threading.Event:
        gate = threading.Event()
        read = parts.READ[name]

        def reads(project: Project) -> Json:
            assert gate.wait(60)
            return read(project)

        monkeypatch.setattr(parts, "READ", {**parts.READ, name: reads})
        gates.append(gate)
        return gate

    yield hold
    for gate in gates:
        gate.set()


async def piece(page: Sse) -> str:
    async with asyncio.timeout(60):
        return (await page.chunks.get()).decode()


@pytest.mark.parametrize("slow", parts.READ)
async def test_the_shell_comes_at_once_and_what_is_ready_before_what_is_not(
    api: Api, as_alice: dict[str, str], held_back: Callable[[str], threading.Event], slow: str
) -> None:
    gate = held_back(slow)
    async with sse(ADDRESS, headers=as_alice) as page:
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "content-security-policy" in page.headers
        shell = await piece(page)
        assert shell.startswith("<!doctype html>")
        assert re.search(r"<h1>\s*tower\s*</h1>", shell)
        assert [f'<slot name="{name}">' in shell for name in parts.READ] == [True] * 3
        ready = {slot_of(await piece(page)) for _ in range(2)}
        assert ready == {*parts.READ} - {slow}
        assert page.chunks.empty()
        gate.set()
        assert slot_of(await piece(page)) == slow
        assert "</html>" in await piece(page)
        assert await piece(page) == ""


def slot_of(element: str) -> str:
    found = re.match(r'\s*(?:<!--.*?-->\s*)?<\w+ [^>]*slot="(\w+)"', element)
    assert found, element[:200]
    return found[1]


async def test_a_part_that_fails_costs_only_itself(
    api: Api, as_alice: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(project: Project) -> Json:
        raise RuntimeError("out of bread")

    monkeypatch.setattr(parts, "READ", {**parts.READ, "preview": fails})
    page = await knock(ADDRESS, headers=as_alice)

    assert page.status == 200
    assert 'slot="preview">This part could not be made.' in page.body.decode()
    assert "out of bread" not in page.body.decode()
    assert 'id="quality"' in page.body.decode()


async def test_a_part_that_takes_too_long_is_given_up(
    api: Api,
    as_alice: dict[str, str],
    held_back: Callable[[str], threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streamed, "LONGEST_WAIT_S", 0.05)
    held_back("quality")
    page = await knock(ADDRESS, headers=as_alice)

    assert 'slot="quality">This part could not be made.' in page.body.decode()


async def test_it_shows_how_far_it_is_what_it_says_and_how_good_that_is(
    api: Api, as_alice: dict[str, str], project: Project
) -> None:
    await api.put("/api/projects/tower/agents/ada/progress", json={"percentage": 40})
    await database_sync_to_async(fill)(project)
    text = (await knock(ADDRESS, headers=as_alice)).body.decode()

    assert "40 %" in text
    assert "Fresh &lt;bread&gt;" in text
    assert '<article class="site__section" data-id="hero" data-kind="hero" data-complete>' in text
    assert "Flesch reading ease" in text
    assert "The whole page" in text

    # Written elsewhere, and in whatever form.
    written = {"title": "News", "body": {"a": [1]}, "headline": None, "id": "<b>"}
    show = database_sync_to_async(sections.show)
    await show(project, "news", written, is_complete=False)
    text = (await knock(ADDRESS, headers=as_alice)).body.decode()
    assert '<p class="site__label">News</p>' in text
    assert "{&quot;a&quot;: [1]}" in text
    assert "Fresh &lt;bread&gt;" not in text


def fill(project: Project) -> WorkflowRun:
    run = WorkflowRun.objects.create(project=project, workflow_name="website-content")
    sections.lay_out(run, [{"id": "hero", "title": "Hero", "kind": "hero"}])
    sections.show(project, "hero", HERO, is_complete=True, run=run)
    for section_id in ("", "hero"):
        scores = measures.of_section(HERO, kind="hero", brief="Fresh bread")
        recording.record(project, scoring.verdict(section_id, scores), run=run)
    return run


async def test_a_brief_given_here_begins_a_run(api: Api, as_alice: dict[str, str]) -> None:
    asks = {**as_alice, "content-type": "application/x-www-form-urlencoded"}
    answer = await knock(ADDRESS, method="POST", headers=asks, body=b"brief=Bread+from+Leipzig")

    assert (answer.status, answer.headers["location"]) == (302, ADDRESS)
    (run,) = (await api.get("/api/projects/tower/workflow-runs")).json()["items"]
    assert (run["workflow"], run["startedBy"]) == ("website-content", "alice")
    for brief in ("", "%20", "x" * 20_001):
        answer = await knock(ADDRESS, method="POST", headers=asks, body=f"brief={brief}".encode())
        assert answer.status == 200
        assert 'aria-invalid="true"' in answer.body.decode()
    assert (await api.get("/api/projects/tower/workflow-runs")).json()["total"] == 1


async def test_strangers_do_not_learn_that_it_exists(api: Api, as_charlie: dict[str, str]) -> None:
    answer = await knock(ADDRESS, headers=as_charlie)
    assert answer.status == 404
    assert (await knock("/projects/nowhere", headers=as_charlie)).body == answer.body
