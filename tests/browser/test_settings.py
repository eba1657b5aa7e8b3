"""Settings in a browser: a key made and copied, what cannot be taken back asked twice."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import axe
from tests.browser.conftest import Open
from tests.browser.test_design import each_way_to_look
from tests.browser.test_pages import sign_in
from tests.servers import Server

pytestmark = pytest.mark.processes


def make_key(page: Page, name: str) -> str:
    page.locator("#keys").get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make a key").click()
    made = page.get_by_role("region", name=f"The key {name} is made")
    expect(made).to_be_focused()
    return made.locator("code").first.inner_text()


def test_a_key_is_copied_once_and_revoked(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/settings")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    secret = make_key(page, "laptop")
    made = page.get_by_role("region", name="The key laptop is made")
    made.get_by_role("button", name="Copy").first.click()
    expect(made.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    page.reload()

    assert secret not in page.content()
    row = page.locator("#keys .thing", has_text="laptop")
    expect(row).to_have_count(1)
    revoke = row.get_by_role("button", name="Revoke laptop")
    expect(revoke).to_be_hidden()
    row.locator("summary").click()
    revoke.click()
    expect(row).to_have_count(0)
    expect(page.locator("#keys").get_by_role("status")).to_have_text("Revoked")


def test_a_key_is_made_by_keyboard_alone(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/settings")

    page.locator("#keys").get_by_label("Name").focus()
    page.keyboard.type("by hand")
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_label("Read and follow")).not_to_be_checked()
    page.keyboard.press("Enter")

    expect(page.get_by_role("region", name="The key by hand is made")).to_be_focused()
    marks = page.locator("#keys .thing", has_text="by hand").locator(".badge")
    expect(marks).to_have_text(["ingest", "write", "run"])


def test_settings_keep_nobody_out(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/settings")
    make_key(page, "<b>" + "long" * 24)

    for look in each_way_to_look(page):
        assert axe(page) == [], look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look


def test_a_wrong_form_is_shown_where_it_was_sent(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/settings", strict=False)
    days = page.get_by_label("Days to keep conversations")
    days.fill("7")
    page.get_by_role("button", name="What would go?").click()
    expect(page.locator(".preview")).to_be_in_viewport()

    page.locator("#members").get_by_label("Username").fill("nobody")
    page.get_by_role("button", name="Let in").click()

    expect(page.get_by_text("There is no user of this name")).to_be_in_viewport()


def test_after_signing_in_one_is_where_one_wanted_to_be(
    guarded_server: Server, open_page: Open
) -> None:
    page = open_page(f"{guarded_server.url}/settings/projects")
    sign_in(page, guarded_server.admin_password())
    expect(page.get_by_role("heading", name="A new project")).to_be_visible()

    page.get_by_label("Id", exact=True).fill("attic")
    page.get_by_role("button", name="Make and own it").click()

    expect(page.get_by_role("heading", name="Settings of attic")).to_be_visible()
    expect(page.locator("#members .thing")).to_contain_text("admin")


def test_a_form_is_sent_once_and_leads_to_what_is_wrong_with_it(
    server: Server, open_page: Open
) -> None:
    page = open_page(f"{server.url}/settings", strict=False)
    name = page.locator("#keys").get_by_label("Name")
    name.fill("  ")
    page.get_by_role("button", name="Make a key").press("Enter")
    expect(page.locator("#keys .field__error")).to_have_text("This field is required.")
    expect(name).to_be_focused()

    name.fill("twice")
    page.get_by_role("button", name="Make a key").dblclick()
    expect(page.get_by_role("region", name="The key twice is made")).to_be_focused()
    page.goto(f"{server.url}/settings")

    expect(page.locator("#keys .thing", has_text="twice")).to_have_count(1)
