"""A conversation that is over is played again as it happened."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.test_conversations_reading import open_tower, shown, talk
from tests.servers import Server

pytestmark = pytest.mark.processes


def play(page: Page, speed: str) -> None:
    page.get_by_role("button", name="Replay").press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()
    page.get_by_label("Speed").select_option(speed)


def test_messages_come_one_after_the_other_and_all_of_them(server: Server, open_page: Open) -> None:
    talk(server, 70)
    page = open_tower(server, open_page)
    page.evaluate(
        """() => { window.counts = [];
        new MutationObserver(() => counts.push(document.querySelectorAll(".message").length))
          .observe(document.querySelector(".messages"), { childList: true }); }"""
    )

    play(page, "20")

    expect(page.get_by_text("line 70", exact=True)).to_be_in_viewport()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert shown(page) == list(range(1, 71))
    counts = page.evaluate("counts")
    assert counts[0] < 5
    assert counts == sorted(counts)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Replay")).to_be_focused()
    expect(page.locator("#m-m-70")).to_be_in_viewport()


def test_it_is_paused_and_moved_by_keyboard(server: Server, open_page: Open) -> None:
    talk(server, 200)
    page = open_tower(server, open_page)
    play(page, "1")
    page.get_by_role("button", name="Pause").press("Enter")
    scrubber = page.get_by_label("Moment")

    scrubber.fill("500")

    expect(page.locator("#m-m-100")).to_be_in_viewport()
    numbers = shown(page)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert 98 <= numbers[-1] <= 102
    page.get_by_label("Speed").select_option("20")
    page.get_by_role("button", name="Play").press("Enter")
    expect(page.locator("#m-m-110")).to_be_attached()


def test_a_live_one_can_be_played_once_it_is_over(server: Server, open_page: Open) -> None:
    talk(server, 3, is_over=False)
    page = open_tower(server, open_page)
    expect(page.get_by_role("button", name="Replay")).to_be_hidden()

    server.ingest("conversation.completed", conversation_id="tower", status="completed")

    expect(page.get_by_role("button", name="Replay")).to_be_visible()
