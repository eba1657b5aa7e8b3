"""One conversation: read, followed, edited; in a real browser against a real server."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.axe import axe
from tests.browser.conftest import Open
from tests.browser.test_design import each_way_to_look
from tests.servers import Server, wait_for

pytestmark = pytest.mark.processes

MOST_MESSAGES = 200
LINES = 1000
NUMBERS = "all => all.map((item) => Number(item.dataset.number))"
IS_AT_END = "document.querySelector('.messages').getBoundingClientRect().bottom <= innerHeight + 40"


def talk(server: Server, lines: int, *, first: int = 1, is_over: bool = True) -> None:
    """One line a second, in turns of ten, up to that many."""
    server.ingest_all(
        [
            {
                "type": "message.created",
                "timestamp": f"2026-11-21T10:{number // 60:02}:{number % 60:02}Z",
                "data": {
                    "conversation_id": "tower",
                    "message_id": f"m-{number}",
                    "agent_id": f"a-{number % 3}",
                    "agent_type": "claude",
                    "agent_name": ["Ada", "Grace", "Linus"][number % 3],
                    "content": f"line {number}" + "\n\nand *more* of it" * (number % 5),
                    "sequence_number": number,
                    "turn_number": number // 10 + 1,
                },
            }
            for number in range(first, lines + 1)
        ]
    )
    if is_over:
        server.ingest("conversation.completed", conversation_id="tower", status="completed")


def open_tower(server: Server, open_page: Open, query: str = "", *, strict: bool = True) -> Page:
    page = open_page(f"{server.url}/conversations/tower{query}", strict=strict)
    is_live(page)
    return page


def is_live(page: Page) -> None:
    expect(page.locator("connection-state")).to_have_text("Live")


def shown(page: Page) -> list[int]:
    numbers: list[int] = page.locator(".message").evaluate_all(NUMBERS)
    return numbers


def texts(page: Page) -> list[str]:
    return page.locator(".message__text").all_inner_texts()


def test_messages_come_as_they_are_said_and_read_as_the_server_writes_them(
    server: Server, open_page: Open
) -> None:
    server.ingest("conversation.started", conversation_id="tower", initial_prompt="Plan a tower")
    server.say("Stone or **steel**?", agent_id="a-1", turn_number=1)
    page = open_tower(server, open_page)
    header = page.locator("conversation-header")

    figures: dict[str, Any] = {
        "tokens_used": 1200,
        "cost": 0.0042,
        "duration_ms": 3250,
        "model": "opus",
    }
    server.say("Steel:\n\n- first\n- then", agent_id="a-1", turn_number=2, **figures)
    server.say("And *you*?", agent_id="b-2", agent_name="Grace", role="user", turn_number=2)

    expect(page.locator(".message")).to_have_count(3)
    expect(page.locator(".message").nth(1)).to_contain_text("$0.0042 (estimate)")
    expect(page.locator(".message li")).to_have_count(2)
    expect(header).to_contain_text("1,200")
    expect(page.locator("[data-part=messages]")).to_have_text("3")
    expect(page.locator("[data-part=heard]")).to_have_text("New message from Grace")
    turns = page.locator(".message__turn:visible")
    expect(turns).to_have_text(["Turn 1", "Turn 2"])
    live = page.locator(".message").all_inner_texts()
    colours = page.locator(".message").evaluate_all("all => all.map(({dataset}) => dataset.hue)")
    page.reload()
    is_live(page)

    assert page.locator(".message").all_inner_texts() == live
    again = page.locator(".message").evaluate_all("all => all.map(({dataset}) => dataset.hue)")
    assert again == colours
    server.ingest("conversation.completed", conversation_id="tower", status="completed")
    expect(page.locator("[data-part=status]").first).to_have_text("Completed")


def test_what_is_said_while_the_page_loads_is_not_missed(server: Server, open_page: Open) -> None:
    talk(server, 3, is_over=False)
    page = open_page("about:blank")

    def say_first(route: Route) -> None:
        server.say("said meanwhile", sequence_number=4)
        route.continue_()

    page.route("**/conversation-messages.js", say_first)
    page.goto(f"{server.url}/conversations/tower")

    expect(page.locator(".message")).to_have_count(4)
    expect(page.locator(".message").last).to_contain_text("said meanwhile")


def test_who_reads_the_end_goes_along(server: Server, open_page: Open) -> None:
    talk(server, 60, is_over=False)
    page = open_tower(server, open_page)
    assert shown(page)[-1] == 60
    assert page.evaluate(IS_AT_END)

    server.say("newest of all", sequence_number=61)

    expect(page.get_by_text("newest of all")).to_be_in_viewport()
    assert page.evaluate(IS_AT_END)
    expect(page.locator(".message-more")).to_be_hidden()


def test_who_has_scrolled_up_is_left_alone_and_told_how_much_is_new(
    server: Server, open_page: Open
) -> None:
    talk(server, 60, is_over=False)
    page = open_tower(server, open_page)
    page.mouse.move(700, 400)
    page.mouse.wheel(0, -2500)
    wait_for(lambda: not page.evaluate(IS_AT_END))
    read = page.locator("#m-m-40")
    expect(read).to_be_visible()
    place = read.bounding_box()

    for number in range(61, 73):
        server.say(f"new {number}", sequence_number=number)

    more = page.get_by_role("button", name="12 new messages")
    expect(more).to_be_visible()
    assert read.bounding_box() == place
    more.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("new 72")).to_be_in_viewport()
    expect(more).to_be_hidden()
    expect(page.locator(".message").last).to_be_focused()


def test_a_flood_leaves_no_hole_and_everybody_where_they_read(
    server: Server, open_page: Open
) -> None:
    talk(server, 60, is_over=False)
    follower = open_tower(server, open_page)
    reader = open_tower(server, open_page, "?message=m-20")
    expect(reader.locator("#m-m-1")).to_be_attached()
    place = reader.locator("#m-m-20").bounding_box()

    talk(server, 600, first=61, is_over=False)

    expect(follower.locator("#m-m-600")).to_be_in_viewport()
    numbers = shown(follower)
    assert numbers == list(range(numbers[0], 601))
    assert len(numbers) <= MOST_MESSAGES + 60
    more = reader.get_by_role("button", name="540 new messages")
    expect(more).to_be_visible()
    assert reader.locator("#m-m-20").bounding_box() == place
    numbers = shown(reader)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    more.click()
    expect(reader.locator("#m-m-600")).to_be_in_viewport()


def test_a_message_that_comes_late_stands_where_it_belongs(server: Server, open_page: Open) -> None:
    talk(server, 5, is_over=False)
    server.say("seven", sequence_number=7)
    page = open_tower(server, open_page)

    server.say("six", sequence_number=6)

    expect(page.get_by_text("six", exact=True)).to_be_visible()
    assert shown(page) == [1, 2, 3, 4, 5, 6, 7]


def test_a_long_conversation_is_scrolled_through_without_a_hole_and_little_stands_in_the_page(
    server: Server, open_page: Open
) -> None:
    lines = LINES // 2
    talk(server, lines)
    page = open_tower(server, open_page)
    page.mouse.move(700, 400)

    def scrolled(step: int, until: int) -> set[int]:
        seen: set[int] = set()
        while until not in seen:
            numbers = shown(page)
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
            assert len(numbers) <= MOST_MESSAGES + 60
            seen.update(numbers)
            page.mouse.wheel(0, step)
            page.evaluate("() => new Promise(requestAnimationFrame)")
        return seen

    assert scrolled(3000, until=lines) == set(range(1, lines + 1))
    assert 1 in scrolled(-3000, until=1)


@pytest.mark.parametrize(("lines", "meant", "earlier"), [(300, 150, 101), (60, 20, 1)])
def test_what_is_read_stays_in_place_while_earlier_messages_come_in(
    server: Server, open_page: Open, lines: int, meant: int, earlier: int
) -> None:
    talk(server, lines)
    page = open_page("about:blank")
    held: list[Route] = []
    is_held = True
    page.route(
        "**/messages?*before=*",
        lambda route: held.append(route) if is_held else route.continue_(),
    )
    page.goto(f"{server.url}/conversations/tower?message=m-{meant}")
    read = page.locator(f"#m-m-{meant}")
    expect(read).to_be_in_viewport()
    expect(read).to_have_class("message message--meant")
    place = read.bounding_box()

    is_held = False
    for route in held:
        route.continue_()

    expect(page.locator(f"#m-m-{earlier}")).to_be_attached()
    way = page.locator('[data-part="earlier"]')
    expect(way).to_be_visible(visible=earlier > 1)
    moved = read.bounding_box()
    assert moved is not None
    assert place is not None
    # Positions are rounded to whole pixels, each time some come in.
    assert moved["y"] == pytest.approx(place["y"], abs=3)


def test_a_place_is_gone_to_by_time_by_link_and_by_hash(server: Server, open_page: Open) -> None:
    talk(server, LINES)
    page = open_tower(server, open_page)
    field = page.get_by_label("Time")

    moment = page.evaluate(
        """() => { const there = new Date("2026-11-21T10:08:20Z");
        return new Date(there - there.getTimezoneOffset() * 60000).toISOString().slice(0, 19); }"""
    )
    field.fill(moment)
    field.press("Enter")
    expect(page.locator("#m-m-500")).to_be_in_viewport()
    expect(page.locator("#m-m-500")).to_be_focused()
    page.get_by_role("link", name="End", exact=True).click()
    expect(page.locator(f"#m-m-{LINES}")).to_be_in_viewport()
    page.evaluate("location.hash = '#m-m-250'")
    expect(page.locator("#m-m-250")).to_be_in_viewport()
    page.get_by_role("link", name="Beginning").click()
    expect(page.locator("#m-m-1")).to_be_in_viewport()

    box = page.locator(".timeline__bars").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + 5)
    expect(page.locator("#m-m-750")).to_be_attached()


def test_messages_and_links_to_them_are_copied(server: Server, open_page: Open) -> None:
    talk(server, 3)
    page = open_tower(server, open_page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    message = page.locator("#m-m-2")

    message.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Message copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("line 2\n\nand *more* of it")
    message.locator(".message__link").click()
    expect(page.get_by_text("Link copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    assert page.url.endswith("/conversations/tower?message=m-2")


def test_the_name_and_the_notes_are_changed_in_place_and_another_window_sees_it(
    server: Server, open_page: Open
) -> None:
    talk(server, 3)
    page = open_tower(server, open_page)
    other = open_tower(server, open_page)

    page.get_by_text("Rename").press("Enter")
    name = page.get_by_label("Name")
    name.fill("Stone <b>and</b> steel")
    name.press("Enter")
    page.locator("summary", has_text="Notes").press("Enter")
    page.get_by_role("textbox", name="Notes").fill("Look at line 2")
    page.get_by_role("button", name="Save the notes").click()

    expect(page.locator("h1")).to_have_text("Stone <b>and</b> steel")
    expect(page.locator("summary", has_text="Rename")).to_be_visible()
    expect(other.locator("h1")).to_have_text("Stone <b>and</b> steel")
    expect(other.locator("textarea")).to_have_value("Look at line 2")


def test_who_went_on_while_a_name_was_saved_is_not_called_back(
    server: Server, open_page: Open
) -> None:
    talk(server, 3)
    page = open_tower(server, open_page)
    saving: list[Route] = []
    page.route("**/api/conversations/*", lambda route: saving.append(route))
    page.get_by_text("Rename").press("Enter")
    page.get_by_label("Name").fill("Granite")
    with page.expect_request("**/api/conversations/*"):
        page.get_by_label("Name").press("Enter")
    notes = page.locator("summary", has_text="Notes")
    notes.focus()

    saving[0].continue_()

    expect(page.get_by_text("Saved")).to_be_visible()
    expect(page.get_by_label("Name")).to_be_hidden()
    expect(notes).to_be_focused()


def test_deleting_asks_first_and_can_be_left_by_keyboard(server: Server, open_page: Open) -> None:
    talk(server, 3)
    page = open_tower(server, open_page)
    dialog = page.get_by_role("dialog")
    delete = page.get_by_role("button", name="Delete", exact=True)

    delete.press("Enter")
    expect(dialog).to_contain_text("All 3 messages")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(delete).to_be_focused()
    delete.press("Enter")
    page.get_by_role("button", name="Delete for good").press("Enter")

    expect(page.get_by_role("heading", name="Conversations")).to_be_visible()
    expect(page.locator(".conversation")).to_have_count(0)


def test_it_reads_without_javascript(server: Server, open_page: Open) -> None:
    talk(server, 60)
    page = open_page(f"{server.url}/conversations/tower", scripts=False)

    expect(page.locator(".message")).to_have_count(50)
    expect(page.locator(".message__turn:visible")).to_have_count(6)
    page.get_by_role("link", name="Later messages").click()
    expect(page.locator(".message").last).to_contain_text("line 60")
    page.get_by_text("Rename").click()
    page.get_by_label("Name").fill("Another name")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("h1")).to_have_text("Another name")
    page.get_by_label("Time").fill("2026-11-21T10:00:30")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.locator("#m-m-30")).to_be_visible()


def test_the_page_keeps_nobody_out(server: Server, open_page: Open) -> None:
    server.ingest(
        "conversation.started",
        conversation_id="tower",
        initial_prompt="A very long name " * 10,
        participants=[{"agent_id": "a-1", "agent_type": "claude", "name": "Ada"}],
    )
    talk(server, 30, is_over=False)
    server.say("x" * 500, agent_name="y" * 300, role="user", model="z" * 200, sequence_number=31)
    server.say("```python\nprint(1)\n```\n\n|a|b|\n|-|-|\n|1|2|", sequence_number=32)
    server.ingest("conversation.error", conversation_id="tower", error_message="No reply")
    summary = {"text": "They **built** it.", "agent_type": "claude"}
    server.ingest("conversation.completed", conversation_id="tower", summary=summary)
    page = open_tower(server, open_page, "?before=")
    page.get_by_text("Export").click()
    page.get_by_role("button", name="Replay").click()

    for look in each_way_to_look(page):
        assert axe(page) == [], look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
