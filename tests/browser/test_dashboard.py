"""The dashboard of a project, in a real browser against a real server."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.test_feed import is_live
from tests.servers import Server

pytestmark = [pytest.mark.processes, pytest.mark.timeout(60)]


def figure(page: Page, name: str) -> str:
    return page.locator(f'[data-figure="{name}"]').inner_text()


def test_a_test_event_passes_all_stations(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    is_live(page)
    page.get_by_role("button", name="Send a test event").press("Enter")

    expect(page.locator('.station[data-state="passed"]')).to_have_count(4)
    expect(page.get_by_text("All is well")).to_be_visible()
    expect(page.locator(".event")).to_have_count(1)


def test_figures_go_on_live_and_read_as_the_server_writes_them(
    server: Server, open_page: Open
) -> None:
    server.ingest("conversation.started", conversation_id="tower", initial_prompt="Plan a tower")
    server.say("Stone or steel?", tokens_used=1200, cost=0.0042, model="opus")
    page = open_page(server.url)
    is_live(page)
    expect(page.locator("spend-plot canvas")).to_have_count(2)
    server.say("Steel.", tokens_used=800, cost=1.5, model="opus")

    expect(page.locator('[data-figure="messages"]')).to_have_text("2")
    expect(page.locator("active-conversations .thing")).to_contain_text("2 messages")

    def shown() -> list[str]:
        return page.locator(".dashboard__past, .things").all_inner_texts()

    live = shown()
    page.reload()
    is_live(page)
    assert shown() == live
    if os.environ.get("SHOTS"):
        page.screenshot(path=Path(os.environ["SHOTS"]) / "dashboard.png", full_page=True)
