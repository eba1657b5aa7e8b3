"""Every page: getting in, narrow screens, and a console without complaints."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.asking import post
from tests.browser.conftest import Open
from tests.servers import Server

pytestmark = pytest.mark.processes

PAGES = ["/", "/login", "/api/docs", "/admin/login"]
LONG = "https://example.com/" + "very-long-word" * 30
ENDLESS = "Donaudampfschifffahrt" * 9


def sign_in(page: Page, password: str) -> None:
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_wrong_password_is_refused_in_words_and_the_right_one_shows_the_feed(
    guarded_server: Server, open_page: Open
) -> None:
    guarded_server.say("Stone or steel?")
    page = open_page(guarded_server.url)
    assert page.url == f"{guarded_server.url}/login?next=%2F"

    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("correct username and password")
    sign_in(page, guarded_server.admin_password())

    expect(page.locator(".event__preview")).to_have_text("Stone or steel?")
    expect(page.locator("connection-state")).to_have_text("Live")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_page_whose_session_has_ended_says_so(guarded_server: Server, open_page: Open) -> None:
    guarded_server.say("Stone or steel?")
    page = open_page(f"{guarded_server.url}/login?next=/", strict=False)
    sign_in(page, guarded_server.admin_password())
    expect(page.locator("connection-state")).to_have_text("Live")

    page.context.clear_cookies()
    guarded_server.kill()
    guarded_server.start()

    expect(page.locator("connection-state")).to_contain_text("Signed out")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_nothing_scrolls_sideways_and_the_console_has_no_complaints(
    server: Server, open_page: Open
) -> None:
    page = open_page("about:blank")
    for path in PAGES:
        answer = page.goto(server.url + path, wait_until="networkidle")
        assert answer is not None
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        if path == "/api/docs":
            expect(page.locator(".opblock").first).to_be_visible()
        assert overflows(page) == [], path
    server.say(LONG, conversation_id=LONG[:190], agent_name=LONG, tokens_used=10**15, cost=10**6)
    page.goto(server.url)
    expect(page.locator(".event")).to_have_count(1)

    assert overflows(page) == []


def test_a_word_without_an_end_fits_wherever_it_is_said(server: Server, open_page: Open) -> None:
    who = {"agent_id": ENDLESS, "agent_type": ENDLESS[:100], "model": ENDLESS[:100]}
    server.ingest(
        "conversation.started",
        conversation_id="tower",
        mode=ENDLESS[:100],
        initial_prompt=ENDLESS,
        participants=[{**who, "name": ENDLESS}],
    )
    server.say(ENDLESS, **who, agent_name=ENDLESS, role=ENDLESS[:50])
    server.ingest("conversation.error", conversation_id="tower", error_message=ENDLESS)
    node = {"id": "inspect", "kind": "approval", "title": ENDLESS, "question": ENDLESS}
    workflow = {
        "name": "w" * 60,
        "title": ENDLESS,
        "description": ENDLESS,
        "inputs": {"stone": {"type": "string", "title": ENDLESS, "description": ENDLESS}},
        "nodes": [node],
    }
    post(server, "/api/projects/default/workflows", workflow)
    run = {"id": "outside", "agentId": ENDLESS[:100], "model": ENDLESS[:100], "prompt": ENDLESS}
    told = {"type": "agent.run.created", "run": run}
    post(server, "/api/projects/default/events", told)
    page = open_page("about:blank")
    for path in (
        "/conversations",
        "/conversations/tower",
        "/workflows",
        f"/workflows/{workflow['name']}",
        "/runs",
        "/runs/outside",
    ):
        page.goto(server.url + path)
        expect(page.locator("main")).to_contain_text(ENDLESS[:60])
        assert overflows(page) == [], path


def overflows(page: Page) -> list[int]:
    """The widths at which there is more than fits."""
    found = []
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(width)
    return found
