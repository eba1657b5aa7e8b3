"""A workflow as a person runs it: watches its graph, reloads halfway, decides by keyboard."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.asking import is_live, post
from tests.browser.axe import axe
from tests.browser.conftest import Open
from tests.browser.test_design import each_way_to_look
from tests.servers import Server

pytestmark = pytest.mark.processes

PLAN = "Of {{ input.stone }} <b>only</b>. "
BY_AGENT = {"kind": "agent", "agent": "scripted", "prompt": "Go on"}
TOWER: dict[str, Any] = {
    "name": "tower",
    "title": "Build a tower",
    "description": "From a plan to a roof",
    "inputs": {"stone": {"type": "string", "title": "Which stone"}},
    "nodes": [
        {
            **BY_AGENT,
            "id": "plan",
            "title": "Plan it",
            "metadata": {
                "script": [
                    {"say": "Of {{ input.stone }} <b>only</b>. ", "pieces": 5, "every_ms": 700}
                ]
            },
        },
        {
            "id": "which",
            "kind": "branch",
            "on": "{{ nodes.plan.output.text }}",
            "cases": [{"contains": "granite", "then": ["floors"]}],
            "otherwise": ["tear_down"],
        },
        {**BY_AGENT, "id": "tear_down"},
        {
            "id": "floors",
            "kind": "map",
            "over": ["ground", "first"],
            "each": {**BY_AGENT, "metadata": {"script": [{"say": "The {{ item }} floor."}]}},
        },
        {
            "id": "inspect",
            "title": "Does it stand?",
            "kind": "approval",
            "question": "Have a look at {{ nodes.plan.output.text }}",
            "needs": ["floors"],
        },
        {"id": "count", "kind": "tool", "tool": "count_record", "needs": ["inspect"]},
    ],
}


def node(page: Page, name: str) -> Locator:
    return page.locator(f'.graph__node[data-node="{name}"]')


def reaches(page: Page, name: str, state: str) -> None:
    expect(node(page, name)).to_have_attribute("data-state", state)


def status(page: Page) -> Locator:
    return page.locator("#facts .badge")


def test_a_workflow_is_run_watched_and_decided_by_keyboard(server: Server, open_page: Open) -> None:
    post(server, "/api/projects/default/workflows", TOWER)
    page = open_page(f"{server.url}/workflows")
    page.get_by_role("link", name="Build a tower").press("Enter")
    page.get_by_label("Which stone").fill("granite")
    page.get_by_role("button", name="Run it").press("Enter")
    is_live(page)

    # Halfway, somebody reloads; on a busy machine, a little later.
    expect(node(page, "plan")).to_have_attribute("data-state", re.compile("running|completed"))
    page.reload()
    is_live(page)
    expect(page.locator(".graph__line")).to_have_count(6)
    reaches(page, "floors", "completed")
    reaches(page, "tear_down", "skipped")
    reaches(page, "inspect", "waiting")
    expect(status(page)).to_have_text("Waiting")
    expect(page.locator("#node-plan .node__output")).to_have_text("Of granite <b>only</b>. ")
    expect(page.locator("#node-floors .node__item")).to_have_count(2)
    expect(page.locator('[data-part="news"]')).to_have_text("Does it stand? waits for you")
    assert boxes_overlap(page) == []
    taken = page.locator('.graph__line[data-taken="true"]')
    assert {line.get_attribute("data-to") for line in taken.all()} == {"which", "floors", "inspect"}

    page.get_by_label("Comment").press_sequentially("Straight enough")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Approve")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#node-inspect")).to_be_focused()
    reaches(page, "count", "completed")
    expect(status(page)).to_have_text("Completed")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    expect(page.locator("#node-inspect")).to_contain_text("Straight enough")

    again = page.locator("#node-inspect").get_by_role("button", name="Run again from here")
    again.press("Enter")
    reaches(page, "inspect", "waiting")
    page.get_by_role("button", name="Reject").press("Enter")
    expect(status(page)).to_have_text("Failed")
    page.get_by_role("button", name="Resume").press("Enter")
    reaches(page, "inspect", "waiting")
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(status(page)).to_have_text("Cancelled")


def test_pages_of_workflows_keep_nobody_out(server: Server, open_page: Open) -> None:
    post(server, "/api/projects/default/workflows", TOWER)
    started = post(
        server, "/api/projects/default/workflows/tower/runs", {"input": {"stone": "granite"}}
    )
    page = open_page(f"{server.url}/workflow-runs/{started['run']['id']}")
    reaches(page, "inspect", "waiting")
    paths = ("/workflows", "/workflows/tower", f"/workflow-runs/{started['run']['id']}")
    for path in paths:
        page.goto(server.url + path)
        for look in each_way_to_look(page):
            expect(page.locator("h1")).to_be_visible()
            assert axe(page) == [], f"{path}, {look}"
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"{path}, {look}"
    unscripted = open_page(f"{server.url}{paths[2]}", scripts=False)
    unscripted.get_by_role("button", name="Approve").press("Enter")
    expect(status(unscripted)).not_to_have_text("Waiting")


def boxes_overlap(page: Page) -> list[str]:
    """Pairs of nodes that lie on each other."""
    found: list[str] = page.locator(".graph__node").evaluate_all(
        """(nodes) => nodes.flatMap((one, place) => nodes.slice(place + 1).filter((other) => {
          const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
          return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
        }).map((other) => `${one.dataset.node} and ${other.dataset.node}`))"""
    )
    return found
