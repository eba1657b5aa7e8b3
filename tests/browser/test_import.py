"""Files into the record, by mouse, by keyboard and without scripts."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from conversations.upload.imports import MOST_ITEMS
from tests.browser.axe import axe
from tests.browser.conftest import Open
from tests.browser.test_design import each_way_to_look
from tests.servers import Server

pytestmark = pytest.mark.processes

DROP = """([name, content]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([content], name));
  for (const type of ["dragenter", "dragover", "drop"]) {
    const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer });
    document.body.dispatchEvent(event);
  }
}"""


def a_log(conversation: str, messages: int) -> str:
    def told(second: int, kind: str, **data: Any) -> str:
        timestamp = f"2026-11-21T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
        data = {"conversation_id": conversation, **data}
        return json.dumps({"type": kind, "timestamp": timestamp, "data": data}) + "\n"

    return told(0, "conversation.started", initial_prompt="A tower") + "".join(
        told(number, "message.created", agent_type="claude", content=f"number {number}")
        for number in range(1, messages + 1)
    )


def counts(page: Page) -> list[str]:
    return page.locator("import-list .import__counts dd").all_inner_texts()


def test_a_chosen_file_is_sent_and_followed_to_its_end(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/import")
    expect(page.locator("connection-state")).to_have_text("Live")
    file: Any = {
        "name": "events_1.jsonl",
        "mimeType": "application/x-ndjson",
        "buffer": (a_log("first", 5) + "<b>no</b>\n" * 5).encode(),
    }

    page.get_by_label("Files of conversations").set_input_files(file)

    card = page.locator("import-list article")
    expect(card.locator(".badge")).to_have_text("completed")
    expect(card.get_by_role("heading")).to_have_text("events_1.jsonl")
    assert counts(page) == ["6", "0", "0", "5"]
    assert card.locator("li").count() == 3
    assert "Line 7" in card.inner_text()
    expect(page.locator(".toasts")).to_contain_text("events_1.jsonl is imported: 6 new, 0 known")
    expect(page.locator(".upload")).to_have_count(0)
    card.get_by_role("link", name="Show all that is bad").click()
    expect(page.locator("import-list li")).to_have_count(5)


def test_files_are_dropped_anywhere(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/import")
    expect(page.locator("connection-state")).to_have_text("Live")

    page.evaluate(DROP, ["dropped.jsonl", a_log("first", 1)])
    page.evaluate(DROP, ["again.jsonl", a_log("first", 1)])

    expect(page.locator("import-list article .badge", has_text="completed")).to_have_count(2)
    expect(page.locator("import-list article h2").first).to_have_text("again.jsonl")
    assert counts(page) == ["0", "0", "2", "0", "2", "0", "0", "0"]


def test_a_page_shows_the_imports_of_others_as_they_go_on(server: Server, open_page: Open) -> None:
    page, other = open_page(f"{server.url}/import"), open_page(f"{server.url}/import")
    expect(page.locator("connection-state")).to_have_text("Live")
    content = a_log("first", 4 * MOST_ITEMS)

    other.evaluate(DROP, ["large.jsonl", content])

    card = page.locator("import-list article")
    expect(card.get_by_role("heading")).to_have_text("large.jsonl")
    expect(card.locator(".badge")).to_have_text("completed")
    expect(card.get_by_role("progressbar")).to_be_hidden()
    expect(card.locator("[data-part='new']")).to_have_text(f"{4 * MOST_ITEMS + 1:,}")


def test_an_import_is_cancelled_and_keeps_what_it_has(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/import")
    page.evaluate(DROP, ["large.jsonl", a_log("first", 20 * MOST_ITEMS)])

    card = page.locator("import-list article")
    card.get_by_role("button", name="Cancel").click()

    expect(card.locator(".badge")).to_have_text("cancelled")
    expect(card.get_by_role("button", name="Cancel")).to_be_hidden()
    shown = counts(page)
    page.reload()
    expect(card.locator(".badge")).to_have_text("cancelled")
    assert counts(page) == shown


def test_what_the_server_refuses_is_said_and_can_be_tried_again(
    server: Server, open_page: Open
) -> None:
    page = open_page(f"{server.url}/import", strict=False)

    page.evaluate(DROP, ["nothing.jsonl", ""])

    row = page.locator(".upload")
    expect(row).to_contain_text("There is nothing in the file")
    row.get_by_role("button", name="Try again").click()
    expect(row).to_contain_text("There is nothing in the file")
    row.get_by_role("button", name="Leave out").click()
    expect(row).to_have_count(0)


def test_a_broken_connection_loses_no_file(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/import", strict=False)
    server.kill()
    page.evaluate(DROP, ["dropped.jsonl", a_log("first", 1)])
    row = page.locator(".upload")
    expect(row).to_contain_text("The connection broke")

    server.start()
    row.get_by_role("button", name="Try again").click()

    expect(page.locator("import-list article .badge")).to_have_text("completed")
    assert counts(page) == ["2", "0", "0", "0"]


def test_a_form_sends_files_without_scripts(
    server: Server, open_page: Open, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(a_log("first", 2))
    page = open_page(f"{server.url}/import", scripts=False)

    page.get_by_label("Files of conversations").set_input_files(file)
    page.get_by_role("button", name="Import").click()

    expect(page.get_by_role("heading", name="events.jsonl")).to_be_visible()


def test_an_import_keeps_nobody_out(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/import")
    page.evaluate(DROP, ["<b>" + "long" * 50 + ".jsonl", a_log("first", 1) + "no\n" * 9])
    expect(page.locator("import-list article .badge")).to_have_text("completed")

    for look in each_way_to_look(page):
        assert axe(page) == [], look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
