"""The dashboard of a project, in a real browser against a real server."""

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.axe import axe
from tests.browser.conftest import Open
from tests.browser.test_design import each_way_to_look
from tests.browser.test_feed import is_live
from tests.servers import KEY, Server, wait_for

pytestmark = pytest.mark.processes

PROJECT = "/api/projects/default"


def post(server: Server, path: str, body: bytes, media_type: str = "application/json") -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": media_type}
    request = urllib.request.Request(server.url + path, data=body, headers=headers)
    with urllib.request.urlopen(request) as answer:
        assert answer.status in {201, 202}


def ask(server: Server, prompt: str) -> None:
    post(server, f"{PROJECT}/runs", json.dumps({"agentId": "guide", "prompt": prompt}).encode())


def lines_of(many: int) -> bytes:
    at = datetime.now(UTC).isoformat()
    said = [{"conversation_id": "old", "content": f"Line {number}"} for number in range(many)]
    events = [{"type": "message.created", "timestamp": at, "data": data} for data in said]
    return b"\n".join(json.dumps(event).encode() for event in events)


def shown(page: Page) -> list[str]:
    """All that the dashboard says but for the feed and the doctor."""
    return page.locator(".totals, .legend, .things, [data-figures]").all_inner_texts()


def station(page: Page, name: str, state: str) -> None:
    expect(page.locator(f'[data-station="{name}"]')).to_have_attribute("data-state", state)


def verdict(page: Page, words: str) -> None:
    expect(page.locator('connection-doctor [role="status"]')).to_contain_text(words)


def test_figures_and_lists_go_on_live_and_read_as_the_server_writes_them(
    server: Server, open_page: Open
) -> None:
    server.ingest("conversation.started", conversation_id="tower", initial_prompt="Plan a tower")
    server.say("Stone or steel?", tokens_used=1200, cost=0.0042, model="opus")
    page = open_page(f"{server.url}/?by=model")
    is_live(page)
    expect(page.locator("spend-plot canvas")).to_have_count(2)
    expect(page.locator(".legend li")).to_have_text(["opus"])

    server.say("Steel.", tokens_used=800, cost=1.5, model="haiku")
    people = [{"agent_id": "b", "agent_type": "gpt", "name": "Bea"}]
    server.ingest("conversation.started", conversation_id="a/b", participants=people)
    ask(server, "What is the tower made of?")
    post(server, f"{PROJECT}/ingest/jobs", lines_of(3), "application/x-ndjson")

    expect(page.locator("run-list .badge")).to_have_text("completed")
    expect(page.locator("job-list .badge")).to_have_text("completed")
    expect(page.locator('[data-figure="messages"]')).to_have_text("5")
    expect(page.locator("active-conversations .thing")).to_have_count(3)
    expect(page.locator("active-conversations")).to_contain_text("2 messages · 2,000 tokens")
    expect(page.locator("active-conversations")).to_contain_text("3 messages")
    expect(page.locator(".legend li")).to_have_text(["opus", "haiku", "Not told"])
    live = shown(page)
    page.reload()
    is_live(page)
    expect(page.locator(".legend li")).to_have_text(["opus", "haiku", "Not told"])
    assert shown(page) == live


def test_the_first_event_of_a_project_brings_its_figures(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    is_live(page)
    expect(page.locator(".feed-empty")).to_be_visible()
    expect(page.locator(".totals")).to_be_hidden()

    server.say("Hello!", tokens_used=7)

    expect(page.locator('[data-figure="totalTokens"]')).to_have_text("7")
    expect(page.locator(".totals")).to_be_visible()
    expect(page.locator("spend-plot canvas")).to_have_count(2)
    widths = page.locator("spend-plot .uplot").evaluate_all("all => all.map(e => e.clientWidth)")
    assert min(widths) > 200


def test_a_test_event_passes_all_stations(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    is_live(page)

    for count in (1, 2):
        page.get_by_role("button", name="Send a test event").press("Enter")

        expect(page.locator('.station[data-state="passed"]')).to_have_count(4)
        verdict(page, "All is well")
        expect(page.locator(".event")).to_have_count(count)
    took = page.locator(".station__took").all_inner_texts()
    assert all(words.endswith((" ms", " s")) for words in took)


def test_a_signed_in_person_sends_one_too(guarded_server: Server, open_page: Open) -> None:
    page = open_page(f"{guarded_server.url}/login?next=/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(guarded_server.admin_password())
    page.get_by_role("button", name="Sign in").click()
    is_live(page)

    page.get_by_role("button", name="Send a test event").click()

    verdict(page, "All is well")


@pytest.mark.parametrize(
    ("broken", "stopped", "words"),
    [
        ("the network", "ingest", "cannot be reached"),
        ("the database", "store", "could not store it"),
        ("the doorbell", "doorbell", "doorbell was not heard"),
        ("the socket", "browser", "did not arrive here"),
    ],
)
def test_a_test_event_that_stops_shows_where(
    server: Server, open_page: Open, broken: str, stopped: str, words: str
) -> None:
    page = open_page(server.url, strict=False)
    is_live(page)
    page.route("**/test-event", BREAK[broken])

    page.get_by_role("button", name="Send a test event").click()

    station(page, stopped, "failed")
    verdict(page, words)
    expect(page.get_by_role("button", name="Send a test event")).to_be_enabled()


def _no_database(route: Route) -> None:
    route.fulfill(status=503, json={"error": "Try again"})


def _answered_but(**changed: str | None) -> Callable[[Route], None]:
    def answer(route: Route) -> None:
        told = route.fetch()
        route.fulfill(response=told, json={**told.json(), **changed})

    return answer


BREAK: dict[str, Callable[[Route], None]] = {
    "the network": lambda route: route.abort(),
    "the database": _no_database,
    "the doorbell": _answered_but(rungAt=None),
    "the socket": _answered_but(testId="of another event"),
}


def test_nothing_keeps_people_out_of_a_full_dashboard(server: Server, open_page: Open) -> None:
    long = "a-very-long-word" * 20
    agent = {"agent_id": long, "agent_type": long, "agent_name": long, "model": long}
    people = [{"agent_id": long, "agent_type": long, "name": long}]
    server.ingest("conversation.started", conversation_id="t", name=long, participants=people)
    server.say(long, conversation_id="t", tokens_used=10**15, cost=10**6, **agent)
    ask(server, long)
    post(server, f"{PROJECT}/ingest/jobs", lines_of(1), "application/x-ndjson")
    page = open_page(server.url)
    is_live(page)
    expect(page.locator("job-list .thing")).to_have_count(1)
    expect(page.locator("spend-plot canvas")).to_have_count(2)
    page.get_by_text("The same in numbers").click()

    for look in each_way_to_look(page):
        assert axe(page) == [], look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look


def test_a_plot_says_what_is_under_the_pointer_and_takes_on_the_night(
    server: Server, open_page: Open
) -> None:
    server.say("Hello!", tokens_used=1234)
    server.say("Hello!", tokens_used=766, agent_type="gemini")
    page = open_page(server.url)
    plot = page.locator('spend-plot[measure="totalTokens"]')
    expect(plot.locator("canvas")).to_be_visible()
    box = plot.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 20)
    reading = plot.locator(".plot__reading")
    expect(reading).to_contain_text(": 2,000")
    expect(reading).to_contain_text("claude: 1,234")
    expect(reading).to_contain_text("gemini: 766")

    def picture() -> str:
        return str(plot.locator("canvas").evaluate("canvas => canvas.toDataURL()"))

    by_day = picture()
    page.emulate_media(color_scheme="dark")
    wait_for(lambda: picture() != by_day)


def test_it_reads_without_javascript(server: Server, open_page: Open) -> None:
    server.say("Hello!", tokens_used=1234, cost=0.5)
    page = open_page(f"{server.url}/?range=24h", scripts=False)

    expect(page.locator('[data-figure="totalTokens"]')).to_have_text("1,234")
    expect(page.locator("active-conversations .thing")).to_have_count(1)
    expect(page.locator(".plot").first).to_be_hidden()
    page.get_by_text("The same in numbers").click()
    expect(page.locator('[data-figures="slots"] tr')).to_contain_text("1,234")
    page.get_by_role("link", name="30 days").click()
    expect(page.get_by_role("link", name="30 days")).to_have_attribute("aria-current", "true")
