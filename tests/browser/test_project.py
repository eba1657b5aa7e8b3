"""The page of a project: a website is written on it, and it is read before all of it is there."""

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.asking import is_live
from tests.browser.axe import axe
from tests.browser.conftest import Open
from tests.browser.test_design import each_way_to_look
from tests.servers import Server

pytestmark = pytest.mark.processes

BRIEF = (
    "Tower Bakery is a family bakery in Leipzig. We sell rye bread, apple cake and coffee. For"
    " families and <b>commuters</b>. We want people to order online. Warm tone."
)
SLOW = "LOCK TABLE workflows_qualityscore IN ACCESS EXCLUSIVE MODE"


def said(page: Page) -> list[str]:
    found: list[str] = page.locator(".site__section").evaluate_all(
        "all => all.map(one => [...one.children].map(part => part.text ?? part.textContent).join())"
    )
    return found


def test_a_website_is_written_and_measured_while_one_looks(server: Server, open_page: Open) -> None:
    address = f"{server.url}/projects/default"
    page, other = open_page(address), open_page(address)
    is_live(page)
    is_live(other)
    expect(page.get_by_text("Nothing has been written yet")).to_be_visible()

    page.get_by_text("Have a website written").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Brief")).to_be_focused()
    page.keyboard.insert_text(BRIEF)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    for one in (page, other):
        expect(one.locator(".site__section")).to_have_count(4)
        expect(one.locator(".site__section[data-complete]")).to_have_count(4)
        expect(one.locator(".verdict")).to_have_count(5)
        expect(one.locator("[data-part=status]").first).to_have_text("completed", ignore_case=True)
        expect(one.locator(".project__overall .figure")).to_have_text("100 %")
        expect(one.locator(".verdict details[open]")).to_have_count(1)
    shown = said(page)
    assert said(other) == shown
    assert "<b>commuters</b>" in "".join(shown)
    assert page.locator(".site__section b").count() == 0
    page.reload()
    assert said(page) == shown
    expect(page.locator(".verdict").first).to_contain_text("The whole page")
    for look in each_way_to_look(page):
        assert axe(page) == [], look
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, look

    plain = open_page(server.url, scripts=False)
    with psycopg.connect(server.database_url) as slow:
        slow.execute(SLOW)
        plain.goto(address, wait_until="commit")
        expect(plain.get_by_role("heading", name="default")).to_be_visible()
        expect(plain.locator(".site__section")).to_have_count(4)
        expect(plain.get_by_role("progressbar", name="How far Writer is")).to_be_visible()
        expect(plain.get_by_text("How good it is, in a moment")).to_be_visible()
        assert plain.get_by_text("What they write, in a moment").is_hidden()
        assert plain.locator(".verdict").count() == 0
    expect(plain.locator(".verdict")).to_have_count(5)
    expect(plain.get_by_text("How good it is, in a moment")).to_be_hidden()
