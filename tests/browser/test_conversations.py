"""The list of conversations, in a real browser against a real server."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.axe import axe
from tests.browser.conftest import Open
from tests.browser.test_design import each_way_to_look
from tests.servers import Server

pytestmark = pytest.mark.processes

PEOPLE = [
    {"agent_id": "a-1", "agent_type": "claude", "name": "Ada"},
    {"agent_id": "g-1", "agent_type": "gemini", "name": "Grace"},
]


def names(page: Page) -> list[str]:
    return page.locator(".conversation__name").all_text_contents()


def start(server: Server, name: str, **data: object) -> None:
    server.ingest("conversation.started", conversation_id=name, initial_prompt=name, **data)


def open_list(server: Server, open_page: Open, query: str = "") -> Page:
    page = open_page(f"{server.url}/conversations{query}")
    expect(page.locator("connection-state")).to_have_text("Live")
    return page


def test_what_is_typed_is_sought_and_stays_in_the_address(server: Server, open_page: Open) -> None:
    for name in ("A tower of stone", "A bridge of steel", "A house"):
        start(server, name)
    server.say("Rather of stone, the bridge", conversation_id="A bridge of steel")
    page = open_list(server, open_page)
    search = page.get_by_label("Search")
    search.fill("iron")
    expect(page.get_by_text("Nothing was found")).to_be_visible()

    search.fill("")
    search.press_sequentially("ston")

    expect(page.locator(".conversation mark").first).to_contain_text("ston")
    expect(page.get_by_role("status").filter(has_text="2 found")).to_be_visible()
    assert sorted(names(page)) == ["A bridge of steel", "A tower of stone"]
    assert page.url.endswith("/conversations?q=ston")
    page.reload()
    assert sorted(names(page)) == ["A bridge of steel", "A tower of stone"]
    page.get_by_role("link", name="Rather of stone").click()
    expect(page.locator(".message--meant")).to_contain_text("Rather of stone, the bridge")


def test_filters_narrow_at_once_and_are_cleared_by_a_link(server: Server, open_page: Open) -> None:
    start(server, "One", participants=PEOPLE, mode="reactive")
    start(server, "Two", participants=PEOPLE[:1])
    page = open_list(server, open_page)

    page.get_by_label("Agent").select_option("gemini")
    expect(page.locator(".conversation")).to_have_count(1)
    page.get_by_label("Mode").select_option("reactive")
    expect(page).to_have_url(f"{server.url}/conversations?agent=gemini&mode=reactive")
    assert names(page) == ["One"]

    page.get_by_role("link", name="Clear").click()
    expect(page.locator(".conversation")).to_have_count(2)


def test_rows_tell_what_happens_and_new_ones_come_in(server: Server, open_page: Open) -> None:
    start(server, "One")
    page = open_list(server, open_page)
    row = page.locator(".conversation").filter(has_text="One")
    expect(row).to_contain_text("0 messages")

    server.say("Hello", conversation_id="One", tokens_used=1200)
    expect(row).to_contain_text("1 message")
    expect(row).to_contain_text("1,200 tokens")
    server.ingest("conversation.completed", conversation_id="One", status="completed")
    expect(row.locator(".badge")).to_have_text("Completed")
    start(server, "Two")
    server.say("Hello", conversation_id="Nobody has started this")

    expect(page.locator(".conversation")).to_have_count(3)
    expect(page.get_by_text("3 in all, 2 active")).to_be_visible()
    live = page.locator(".conversation").all_inner_texts()
    page.reload()
    expect(page.locator("connection-state")).to_have_text("Live")
    assert page.locator(".conversation").all_inner_texts() == live


def test_what_begins_while_the_page_loads_is_not_missed(server: Server, open_page: Open) -> None:
    start(server, "One")
    page = open_page("about:blank")

    def begin_first(route: Route) -> None:
        start(server, "Two")
        route.continue_()

    page.route("**/conversation-list.js", begin_first)
    page.goto(f"{server.url}/conversations")

    expect(page.locator(".conversation")).to_have_count(2)


def test_new_rows_wait_for_a_reader_who_has_scrolled_away(server: Server, open_page: Open) -> None:
    for number in range(20):
        start(server, f"Plan {number}")
    page = open_list(server, open_page)
    page.evaluate("scrollTo(0, 700)")
    read = page.get_by_text("Plan 8", exact=True)
    place = read.bounding_box()

    for number in range(2):
        start(server, f"New {number}")

    fresh = page.get_by_role("button", name="2 new conversations")
    expect(fresh).to_be_visible()
    assert read.bounding_box() == place
    fresh.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".conversation")).to_have_count(22)
    expect(page.get_by_text("New 1")).to_be_in_viewport()
    expect(fresh).to_be_hidden()


def test_older_ones_come_on_demand_and_the_keyboard_goes_along(
    server: Server, open_page: Open
) -> None:
    for number in range(55):
        start(server, f"Plan {number}")
    page = open_list(server, open_page)

    page.get_by_role("link", name="Show older").press("Enter")

    expect(page.locator(".conversation")).to_have_count(55)
    expect(page.locator(".conversation__name").nth(50)).to_be_focused()
    expect(page.get_by_role("link", name="Show older")).to_have_count(0)


def test_one_that_is_deleted_is_crossed_out(server: Server, open_page: Open) -> None:
    start(server, "One")
    page = open_list(server, open_page)

    other = open_page(f"{server.url}/conversations/One", scripts=False)
    other.get_by_role("button", name="Delete", exact=True).click()
    other.get_by_role("button", name="Delete for good").click()

    expect(page.locator(".conversation--gone")).to_contain_text("One")
    expect(other.get_by_text("Nothing has been recorded yet")).to_be_visible()


def test_the_list_keeps_nobody_out(server: Server, open_page: Open) -> None:
    for number in range(3):
        start(server, f"{'A very long name ' * 10} {number}", participants=PEOPLE, mode="reactive")
    server.say("stone " * 100, tokens_used=10**15, cost=10**6)

    for query in ("", "?q=stone", "?q=nothing"):
        page = open_list(server, open_page, query)
        # Axe asks for no more than the policy of the page allows.
        for look in each_way_to_look(page):
            assert axe(page) == [], f"{query}, {look}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
