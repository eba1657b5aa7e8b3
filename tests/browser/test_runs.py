"""A run as a person follows it and, once it is over, plays it again."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.asking import call, is_live, post
from tests.browser.axe import axe
from tests.browser.conftest import Open
from tests.browser.test_design import each_way_to_look
from tests.servers import Server, wait_for

pytestmark = pytest.mark.processes

WORK: tuple[dict[str, Any], ...] = (
    {"plan": [{"text": "Measure", "status": "in_progress"}, {"text": "Answer"}]},
    {"think": "Plans are older than walls."},
    {"tool": "measure", "args": {"what": "tower"}, "ms": 2500, "result": "42 metres"},
    {"say": "It is **42 m** high, " * 40, "pieces": 40, "every_ms": 50},
)


def run_on(server: Server, *script: dict[str, Any]) -> str:
    wanted = {
        "agentId": "scripted",
        "prompt": "How <b>high</b>?",
        "metadata": {"script": list(script)},
    }
    run_id: str = post(server, "/api/projects/default/runs", wanted)["run"]["id"]
    return run_id


def text(page: Page) -> str:
    found: str = page.locator("run-answer markdown-text").evaluate("it => it.text")
    return found


def test_a_run_is_followed_to_its_end_and_played_again_as_it_happened(
    server: Server, open_page: Open
) -> None:
    listed = open_page(f"{server.url}/runs")
    is_live(listed)
    run = run_on(server, *WORK)
    listed.get_by_role("link", name="How <b>high</b>?").click()
    page = listed
    expect(page.locator(".plan__item").first).to_be_attached()
    expect(page.locator("run-answer")).to_have_attribute("status", "completed")
    expect(page.locator(".story__name").last).to_have_text("End")
    expect(page.locator("#facts .badge")).to_have_text("Completed")
    expect(page.get_by_role("status").filter(has_text="has answered")).to_be_attached()
    whole = call(server, f"/api/projects/default/runs/{run}")["run"]["output"]
    assert text(page) == whole

    page.reload()
    page.evaluate(
        """() => { window.lengths = []; window.doing = [];
        const answer = document.querySelector("run-answer");
        new MutationObserver(() => {
          lengths.push(answer.querySelector("markdown-text").text.length);
          doing.push(answer.querySelector('[data-part="doing"]').textContent);
        }).observe(answer, { childList: true, subtree: true, characterData: true }); }"""
    )
    page.get_by_role("button", name="Replay").press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()
    expect(page.locator('run-answer [data-part="badge"]')).to_have_text("Answering")
    # A busy machine may draw what comes at twenty times the speed all at once.
    wait_for(lambda: text(page) != "")
    page.get_by_label("Speed").select_option("20")
    expect(page.get_by_role("button", name="Play")).to_be_visible()

    assert text(page) == whole
    # It came in pieces, in order, after the tool had run.
    lengths = page.evaluate("lengths")
    assert any(0 < length < len(whole) for length in lengths)
    behind_start = lengths[lengths.index(0) :]
    assert behind_start == sorted(behind_start)
    assert any(words.startswith("measure what=") for words in page.evaluate("doing"))
    page.get_by_label("Moment").fill("700")
    expect(page.locator('run-answer [data-part="badge"]')).to_have_text("Answering")
    assert 0 < len(text(page)) < len(whole)
    page.get_by_role("button", name="Stop", exact=True).press("Enter")
    expect(page.locator('run-answer [data-part="badge"]')).to_be_hidden()
    expect(page.get_by_role("button", name="Replay")).to_be_focused()
    assert text(page) == whole


def test_nothing_keeps_people_out_of_runs(server: Server, open_page: Open) -> None:
    run = run_on(server, *WORK[:3], {"say": f"{'very-long-word' * 30}"}, {"fail": "No " + "x" * 99})
    page = open_page(f"{server.url}/runs/{run}")
    expect(page.locator("run-answer")).to_have_attribute("status", "error")
    page.get_by_role("button", name="Replay").click()
    for path in ("", "/runs"):
        if path:
            page.goto(server.url + path)
            is_live(page)
        for look in each_way_to_look(page):
            assert axe(page) == [], look
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
