"""Each page narrow and wide, by day and by night, by keyboard, and for those who do not see it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, Response, ViewportSize, expect

from tests.browser.asking import call, post
from tests.browser.axe import axe
from tests.browser.conftest import Open
from tests.servers import Server

pytestmark = pytest.mark.processes

PAGES = ["/", "/login", "/nothing-here", "/settings/projects"]
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (360, 1440)
LARGEST_SCRIPTS = 250_000
MOST_STOPS = 100

PARTS = Path(__file__).with_name("parts.html").read_text()
SHOW_PARTS = """async (parts) => {
  document.querySelector("main").innerHTML = parts;
  await import("/static/js/elements/markdown-text.js");
}"""


@pytest.fixture(scope="module")
def server(common_server: Server) -> Server:
    server = common_server
    server.ingest("conversation.started", conversation_id="tower", initial_prompt="A tower")
    server.say("Stone or steel?", tokens_used=1200, cost=0.0042)
    server.ingest("conversation.error", conversation_id="tower", error_message="No reply")
    return server


@pytest.fixture
def page(server: Server, open_page: Open) -> Page:
    return open_page(server.url, strict=False)


def each_way_to_look(page: Page) -> Iterator[str]:
    """Each scheme and each width, once: colours are of the one, and places of the other."""
    for scheme, width in zip(SCHEMES, WIDTHS, strict=True):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        yield f"{scheme} at {width}"


def test_nothing_keeps_people_out_of_a_page(page: Page, server: Server) -> None:
    for path in PAGES:
        page.goto(server.url + path)
        expect(page.locator("h1")).to_be_visible()
        for look in each_way_to_look(page):
            assert axe(page) == [], f"{path}, {look}"
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"{path}, {look}"


def test_the_parts_of_pages_can_be_seen_by_everyone(page: Page) -> None:
    page.add_style_tag(url="/static/css/prose.css")
    page.evaluate(SHOW_PARTS, PARTS)
    expect(page.locator(".hljs-addition")).to_be_visible()

    for look in each_way_to_look(page):
        assert axe(page) == [], look
        colours = page.locator(".card .agent").evaluate_all(
            "all => all.map(each => getComputedStyle(each).color)"
        )
        assert len(set(colours)) == 24


def test_a_fault_would_be_found(page: Page) -> None:
    page.evaluate("document.querySelector('h1').after(new Image())")

    assert [fault.split(":")[0] for fault in axe(page)] == ["image-alt"]


def test_the_first_tab_leads_past_the_ways_and_each_stop_is_seen(page: Page) -> None:
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    stops: list[str] = []
    while len(stops) < 20:
        page.keyboard.press("Tab")
        outline, name = page.evaluate(
            "() => [getComputedStyle(document.activeElement).outlineStyle,"
            " document.activeElement.textContent.trim()]"
        )
        if page.evaluate("document.activeElement === document.body"):
            break
        assert outline != "none", name
        stops.append(name)
    assert "API" in stops

    skip.focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


# What a finger may miss, of what stands by itself: links in a text are as large as the text.
TOO_SMALL = """() => {
  const pressed = "button, select, textarea, summary, .button, .tabs > *, .ways a,"
    + " input:not([type=hidden], [type=checkbox], [type=range])";
  const isSmall = ({ width, height }) => width && (width < 43.5 || height < 43.5);
  return Array.from(document.querySelectorAll(pressed))
    .filter((one) => isSmall(one.getBoundingClientRect()))
    .map((one) => one.outerHTML.slice(0, 200));
}"""
SEEN = """() => {
  const at = document.activeElement;
  const places = [at, at.closest("li, .ask")];
  const outlines = places.map((one) => one && getComputedStyle(one).outlineStyle);
  return { isBody: at === document.body, name: at.outerHTML.slice(0, 200),
    isSeen: outlines.some((style) => style && style !== "none") };
}"""


def test_each_page_is_walked_by_keyboard_and_by_finger(page: Page, server: Server) -> None:
    browser = page.context.browser
    assert browser
    size = ViewportSize(width=360, height=700)
    phone = browser.new_context(viewport=size, has_touch=True, is_mobile=True).new_page()
    post(server, "/api/users/local/chats", {"title": "Towers", "agent_id": "guide"})
    run = {"agentId": "guide", "prompt": "What can you do?"}
    run_id = post(server, "/api/projects/default/runs", run)["run"]["id"]
    paths = ["/conversations", "/conversations/tower", "/chats", "/runs", f"/runs/{run_id}"]
    chat = call(server, "/api/users/local/chats")["items"][0]["chat_id"]
    for path in [*paths, f"/chats/{chat}", "/import", "/settings", "/settings/projects"]:
        page.goto(server.url + path, wait_until="networkidle")
        page.locator("body").click(position={"x": 1, "y": 1})
        stops: list[str] = []
        while len(stops) < MOST_STOPS:
            page.keyboard.press("Tab")
            found = page.evaluate(SEEN)
            if found["isBody"]:
                break
            assert found["isSeen"], f"{path}: {found['name']}"
            stops.append(found["name"])
        assert 5 < len(stops) < MOST_STOPS, path
        phone.goto(server.url + path, wait_until="networkidle")
        assert phone.evaluate(TOO_SMALL) == [], path
    phone.context.close()


def test_a_page_brings_little_script(page: Page, server: Server) -> None:
    sizes: dict[str, int] = {}

    def note(response: Response) -> None:
        if response.request.resource_type == "script":
            sizes[response.url] = int(response.headers["content-length"])

    page.on("response", note)
    page.goto(server.url, wait_until="networkidle")

    assert sizes
    assert sum(sizes.values()) < LARGEST_SCRIPTS, sizes
