"""The feed of a project, in a real browser against a real server."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.servers import Server

pytestmark = pytest.mark.processes


# Each row as its elements with their attributes and texts, but for the sign of one that came live.
ELEMENTS = """all => all.map((row) => [row, ...row.querySelectorAll("*")].map((one) => [
  one.localName,
  Object.fromEntries([...one.attributes].map(({ name, value }) =>
    [name, name === "class" ? value.replace(" event--new", "") : value])),
  one.childElementCount ? "" : one.textContent,
]))"""


def previews(page: Page) -> list[str]:
    return page.locator(".event__preview").all_text_contents()


def is_live(page: Page) -> None:
    expect(page.locator("connection-state")).to_have_text("Live")


def test_the_feed_shows_what_was_recorded_before_and_then_what_comes_live(
    server: Server, open_page: Open
) -> None:
    server.ingest("conversation.started", conversation_id="tower", initial_prompt="Plan a tower")
    server.say("Stone or steel?", tokens_used=1200, cost=0.0042)

    page = open_page(server.url)
    is_live(page)
    server.say("Steel.")

    expect(page.locator(".event")).to_have_count(3)
    assert previews(page) == ["Steel.", "Stone or steel?", "Plan a tower"]
    newest = page.locator(".event").first
    expect(newest.locator(".event__agent")).to_have_text("Ada")
    expect(newest.locator(".event__conversation")).to_have_text("Plan a tower")
    expect(page.locator(".event__use").nth(1)).to_contain_text("1,200 tokens $0.0042 (estimate)")


def test_a_live_row_reads_as_the_server_writes_it(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    is_live(page)
    agents = [{"agent_id": "a", "agent_type": "claude", "name": "Ada"}, {"agent_type": "gpt"}]
    started = {"initial_prompt": "Plan a tower", "participants": agents}
    server.ingest("conversation.started", conversation_id="tower", **started)
    server.say("é😀" * 400, tokens_used=1234567, cost=1.5)
    server.ingest("log.entry", conversation_id="tower", level="system", content="Turn 2")
    server.ingest("conversation.error", conversation_id="tower", error_message="No reply")
    server.ingest("bridge.test", message="Can you hear me?")
    server.ingest("conversation.completed", conversation_id="tower", status="error")
    server.ingest("conversation.completed", conversation_id="tower", summary={"text": "Built"})
    server.say("", conversation_id="another")
    server.say("Where does it lead?", conversation_id="a/b:c@d?e#f (g) é%")
    expect(page.locator(".event")).to_have_count(9)
    expect(page.locator(".event__conversation").nth(1)).to_contain_text("Conversation 20")
    expect(page.locator(".event__conversation").first).to_contain_text("Conversation 20")

    def rows() -> list[Any]:
        """Markup and all: how they look, where they lead."""
        elements: list[Any] = page.locator(".event").evaluate_all(ELEMENTS)
        return elements

    live = rows()
    page.reload()
    is_live(page)

    assert rows() == live


def test_scripts_in_names_and_contents_do_not_run(server: Server, open_page: Open) -> None:
    attack = "</li></template><script>window.hit=1</script><img src=x onerror='window.hit=1'>"
    people = {"agent_name": attack, "agent_type": attack}
    server.ingest("conversation.started", conversation_id=attack[:100], initial_prompt=attack)
    server.say(attack, conversation_id=attack[:100], **people)

    page = open_page(server.url)
    is_live(page)
    server.say(attack, conversation_id=attack[:100], **people)

    expect(page.locator(".event")).to_have_count(3)
    assert previews(page) == [attack] * 3
    assert page.evaluate("window.hit") is None


def test_rows_wait_for_a_reader_who_has_scrolled_away(server: Server, open_page: Open) -> None:
    for number in range(30):
        server.say(f"Floor {number}")
    page = open_page(server.url)
    is_live(page)
    page.evaluate("scrollTo(0, 900)")
    read = page.get_by_text("Floor 15", exact=True)
    place = read.bounding_box()

    for number in range(3):
        server.say(f"Roof {number}")

    more = page.get_by_role("button", name="3 new events")
    expect(more).to_be_visible()
    assert read.bounding_box() == place
    expect(page.locator(".event")).to_have_count(30)
    more.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".event")).to_have_count(33)
    expect(more).to_be_hidden()
    expect(page.locator(".feed")).to_be_focused()


def test_the_page_reads_without_javascript(server: Server, open_page: Open) -> None:
    page = open_page(server.url, scripts=False)
    commands = page.locator(".command")
    expect(commands.filter(has_text=f"curl {server.url}/api/ingest")).to_be_visible()

    server.say("Stone or steel?")
    page.reload()

    assert previews(page) == ["Stone or steel?"]
    expect(page.locator(".feed-empty")).to_be_hidden()
    expect(page.locator("connection-state")).to_contain_text("reload")
