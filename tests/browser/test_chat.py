"""Chats as a person has them: asking, reading along, stopping, trying again, looking back."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.asking import (
    answer,
    call,
    chat_on,
    has_ended,
    is_live,
    parts,
    post,
    shown,
    steps,
    written,
)
from tests.browser.axe import axe
from tests.browser.conftest import Open
from tests.browser.test_design import each_way_to_look
from tests.browser.test_pages import sign_in
from tests.servers import Server, wait_for

pytestmark = pytest.mark.processes

WORK: tuple[dict[str, Any], ...] = (
    {"plan": [{"text": "Measure", "status": "in_progress"}, {"text": "Answer"}]},
    {"think": "Plans are older than walls."},
    {"tool": "measure", "args": {"what": "tower"}, "ms": 30, "result": "42 metres"},
    {"plan": [{"text": "Measure", "status": "completed"}, {"text": "Answer"}]},
    {"usage": {"input_tokens": 1000, "output_tokens": 234, "cost": "0.0021"}},
)
SAY = {"say": "It is **42 m** high.", "pieces": 5, "every_ms": 30}
FOREVER = {"repeat": 1000, "steps": [{"say": "and on ", "every_ms": 100}, {"wait_ms": 100}]}
LINES = {"say": "\n\n".join(f"Floor {n}" for n in range(60)), "pieces": 60, "every_ms": 60}

# What a screen reader is told to read out, from here on.
HEAR = """() => {
  window.heard = [];
  const live = "[role=status], [role=alert], [role=log], [aria-live]";
  new MutationObserver((changes) => {
    for (const { target, type } of changes) {
      const region = (target.closest ? target : target.parentElement)?.closest(live);
      if (region && type !== "attributes") heard.push(region.textContent);
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def test_a_question_is_asked_by_keyboard_and_its_answer_comes_with_how_it_came_about(
    server: Server, open_page: Open
) -> None:
    page = open_page(f"{server.url}/chats")
    page.get_by_label("Agent").select_option("scripted")
    page.get_by_label("Your question").focus()
    page.keyboard.type("How high")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("is it?")
    page.keyboard.press("Enter")

    is_live(page)
    has_ended(page)
    expect(page.locator("h1")).to_have_text("How high is it?")
    assert page.locator('.thread [data-part="question"]').text_content() == "How high\nis it?"
    expect(answer(page).locator("strong")).to_have_text("five floors")
    summary = answer(page).locator(".work__bar")
    expect(summary).to_have_text(re.compile(r"Worked for \d+\.\d s · 2 tools"))
    summary.focus()
    page.keyboard.press("Enter")
    expect(answer(page).locator(".tool").first).to_be_visible()
    expect(answer(page).locator('[data-part="spent"]')).to_have_text("180 tokens · $0.0013")
    answer(page).get_by_role("link", name="Run").press("Enter")
    expect(page.locator("h1")).to_have_text("Run of Scripted")


def test_a_live_answer_a_second_tab_and_a_reload_show_the_same(
    server: Server, open_page: Open
) -> None:
    chat = chat_on(server)
    first, second = chat.look(open_page), chat.look(open_page)

    chat.ask(*WORK, SAY)
    chat.ask({"say": "It is "}, {"fail": "The tower has fallen"}, content="And now?")
    for page in (first, second):
        has_ended(page)
        has_ended(page, "error", number=1)
    live = shown(first)

    assert live["question"] == ["How high?", "And now?"]
    assert live["plan"][0] == "Measure (done)Answer (to do)"
    assert live["tools"][0].startswith("measure what='tower' 0.")
    assert live["thoughts"][0] == "Plans are older than walls."
    assert live["spent"][0] == "1,234 tokens · $0.0021"
    assert live["badge"] == ["Answered", "Failed"]
    assert "The tower has fallen" in live["error"][1]
    assert shown(second) == live
    first.reload()
    is_live(first)
    first.locator(".thread .work__bar").first.click()
    expect(first.locator(".thread .plan__item")).to_have_count(2)
    assert shown(first) == live


def test_who_comes_while_an_answer_is_given_gets_it_whole(server: Server, open_page: Open) -> None:
    chat = chat_on(server)
    early = chat.look(open_page)
    chat.ask(*WORK, LINES)
    expect(answer(early).locator("markdown-text p").nth(5)).to_be_visible()

    late = chat.look(open_page)

    for page in (early, late):
        has_ended(page)
        assert written(page) == chat.answers()[0]
    assert shown(late) == shown(early)


def test_questions_in_a_row_wait_for_their_turns_and_say_so(
    server: Server, open_page: Open
) -> None:
    chat = chat_on(server)
    page = chat.look(open_page)
    chat.ask(FOREVER)
    has_ended(page, "processing")

    for question in ("And how wide?", "And how old?"):
        ask(page, question)
        expect(page.get_by_label("Your question")).to_have_value("")

    expect(page.locator('.thread [data-part="badge"]')).to_have_text(
        ["Answering", "Queued", "Queued"]
    )
    assert parts(page, "doing")[1:] == ["Waits for its turn"] * 2
    answer(page).get_by_role("button", name="Stop").click()
    has_ended(page, "cancelled")
    has_ended(page, number=1)
    has_ended(page, number=2)
    assert parts(page, "question") == ["How high?", "And how wide?", "And how old?"]


def test_an_answer_is_stopped_and_tried_again_by_keyboard(server: Server, open_page: Open) -> None:
    chat = chat_on(server)
    page = chat.look(open_page)
    other = chat.look(open_page)
    chat.ask(FOREVER)
    expect(answer(page).locator("markdown-text")).to_contain_text("and on")

    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    has_ended(page, "cancelled")
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_focused()
    page.keyboard.press("Enter")

    for one in (page, other):
        has_ended(one, "processing")
        expect(answer(one).locator("markdown-text")).to_contain_text("and on")
    # What the first attempt said no longer counts.
    page.get_by_role("button", name="Stop").click()
    has_ended(page, "cancelled")
    assert written(page) == chat.answers()[0]


def test_a_failure_is_said_in_a_sentence_and_a_reader_can_try_again(
    server: Server, open_page: Open
) -> None:
    chat = chat_on(server)
    question = chat.ask({"say": "It is "}, {"fail": "The tower has fallen"})
    page = chat.look(open_page)
    has_ended(page, "error")
    expect(answer(page).locator(".answer__error")).to_contain_text("The tower has fallen")

    page.get_by_role("button", name="Try again").click()

    # It fails again: what was told says that it was tried.
    wait_for(lambda: steps(chat, question).count("end") == 2)
    has_ended(page, "error")
    assert written(page) == chat.answers()[0] == "It is "


def test_what_cannot_be_sent_stays_in_the_box_with_the_reason(
    server: Server, open_page: Open
) -> None:
    chat = chat_on(server)
    page = chat.look(open_page, strict=False)
    box = page.get_by_label("Your question")

    ask(page, "  ")
    expect(page.locator("#ask-complaint")).to_have_text("Write a question first")
    page.context.set_offline(True)
    ask(page, "How high?")
    expect(page.locator("#ask-complaint")).to_have_text("The server cannot be reached: try again")
    expect(box).to_have_value("How high?")
    page.context.set_offline(False)
    box.press("Enter")

    has_ended(page)
    expect(box).to_have_value("")
    expect(page.locator("#ask-complaint")).to_have_text("")


def test_a_screen_reader_hears_the_start_and_the_end_and_not_each_piece(
    server: Server, open_page: Open
) -> None:
    chat = chat_on(server)
    page = chat.look(open_page)
    page.evaluate(HEAR)

    chat.ask(*WORK, {**LINES, "every_ms": 20})
    has_ended(page)
    expect(page.locator(".thread__news")).to_contain_text("has answered")

    heard: list[str] = page.evaluate("heard")
    assert len(heard) == 2
    assert heard[0] == "Scripted is answering"
    assert heard[1].startswith("Scripted has answered: Floor 0")
    assert len(heard[1]) < 400


def test_a_reader_who_has_scrolled_up_is_left_alone_and_one_at_the_end_is_kept_there(
    server: Server, open_page: Open
) -> None:
    chat = chat_on(server)
    chat.ask({"say": LINES["say"]})
    page = chat.look(open_page)
    has_ended(page)
    chat.ask(LINES)
    floors = answer(page, 1).locator("markdown-text p")
    expect(floors.nth(20)).to_be_visible()
    expect(floors.last).to_be_in_viewport()

    page.evaluate("scrollTo(0, 300)")
    read = answer(page).get_by_text("Floor 8", exact=True)
    place = read.bounding_box()
    expect(floors.nth(45)).to_be_attached()
    assert read.bounding_box() == place
    page.get_by_role("button", name="To the newest").click()

    expect(floors.last).to_have_text("Floor 59")
    expect(floors.last).to_be_in_viewport()
    expect(page.get_by_label("Your question")).to_be_focused()


def test_what_a_reader_has_marked_stays_marked_while_more_comes(
    server: Server, open_page: Open
) -> None:
    chat = chat_on(server)
    page = chat.look(open_page)
    chat.ask(LINES)
    expect(answer(page).locator("markdown-text p").nth(5)).to_be_visible()
    page.evaluate(
        "() => getSelection().selectAllChildren(document.querySelectorAll('markdown-text p')[2])"
    )

    has_ended(page)

    assert page.evaluate("String(getSelection())") == "Floor 2"


def test_a_long_answer_keeps_no_more_in_memory_than_the_page_shows(
    server: Server, open_page: Open
) -> None:
    chat = chat_on(server)
    page = chat.look(open_page)
    before = heap_bytes(page)

    chat.ask({"say": ("tall " * 50 + "\n\n") * 1000, "pieces": 300, "every_ms": 20})
    has_ended(page)

    # A quarter of a megabyte, in some hundred frames.
    assert heap_bytes(page) - before < 10_000_000
    assert len(written(page)) == 252_000


def heap_bytes(page: Page) -> int:
    """Without what waits to be collected."""
    browser = page.context.new_cdp_session(page)
    browser.send("HeapProfiler.collectGarbage")
    used: int = browser.send("Runtime.getHeapUsage")["usedSize"]
    return used


def test_the_guides_citations_lead_to_the_conversations(server: Server, open_page: Open) -> None:
    server.ingest("conversation.started", conversation_id="a/b", initial_prompt="Plan a tower")
    server.say("The tower is made of limestone.", conversation_id="a/b")
    wait_for(lambda: call(server, "/api/conversations?q=limestone")["total"] == 1)
    page = open_page(f"{server.url}/chats")
    ask(page, "What is the tower made of?")
    has_ended(page)

    answer(page).get_by_role("link").first.click()

    expect(page).to_have_url(f"{server.url}/conversations/a%2Fb")
    expect(page.locator("h1")).to_contain_text("Plan a tower")


def test_who_has_signed_in_asks_under_their_name(guarded_server: Server, open_page: Open) -> None:
    page = open_page(f"{guarded_server.url}/chats")
    sign_in(page, guarded_server.admin_password())
    # Enter sends once the scripts are there, as they are when a page has loaded.
    page.wait_for_url(f"{guarded_server.url}/chats")
    page.get_by_label("Agent").select_option("scripted")
    ask(page, "How high?")
    has_ended(page)

    ask(page, "And how wide?")

    has_ended(page, number=1)
    assert parts(page, "asker") == ["admin", "admin"]


def test_a_chat_works_without_scripts(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/chats", scripts=False)
    page.get_by_label("Agent").select_option("scripted")
    page.get_by_label("Your question").fill("How high?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("h1")).to_have_text("How high?")

    def is_answered() -> bool:
        page.reload()
        return "five floors" in page.locator(".thread").inner_text()

    wait_for(is_answered)
    page.goto(f"{server.url}/chats")
    page.get_by_role("link", name="How high?").click()
    expect(page.locator(".thread .question__text")).to_have_text("How high?")


def test_a_chat_that_is_deleted_says_so_and_takes_no_more_questions(
    server: Server, open_page: Open
) -> None:
    chat = chat_on(server)
    page = chat.look(open_page)
    chat.ask(FOREVER)
    has_ended(page, "processing")

    call(server, f"/api/chats/{chat.chat}", method="DELETE")

    has_ended(page, "cancelled")
    expect(page.get_by_role("alert")).to_have_text("This chat was deleted")
    expect(page.get_by_label("Your question")).to_be_disabled()


def test_a_chat_is_opened_renamed_and_deleted_and_other_tabs_see_it(
    server: Server, open_page: Open
) -> None:
    listed = open_page(f"{server.url}/chats")
    is_live(listed)
    expect(listed.get_by_text("You have not asked anything yet")).to_be_visible()

    chat = chat_on(server)
    titles = listed.locator(".chat-list a")
    expect(titles).to_have_text(["Towers"])
    expect(listed.get_by_text("You have not asked anything yet")).to_be_hidden()
    page, other = chat.look(open_page), chat.look(open_page)
    page.get_by_label("Your question").fill("Half a question")
    page.get_by_text("Rename").press("Enter")
    page.get_by_label("Name").fill("Of stone")
    page.get_by_label("Name").press("Enter")
    expect(page.locator(".toast")).to_have_text("Saved")
    for one in (page, other):
        expect(one.locator("h1")).to_have_text("Of stone")
    expect(page.get_by_text("Rename")).to_be_focused()
    expect(page.get_by_label("Your question")).to_have_value("Half a question")
    expect(titles).to_have_text(["Of stone"])

    page.get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.get_by_role("button", name="Delete for good").press("Enter")
    page.wait_for_url(f"{server.url}/chats?project=default")
    expect(other.get_by_role("alert")).to_have_text("This chat was deleted")
    expect(other.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    expect(titles).to_have_count(0)


def test_the_list_shows_where_an_agent_is_at_work(server: Server, open_page: Open) -> None:
    chat = chat_on(server)
    page = open_page(f"{server.url}/chats")
    is_live(page)
    badge = page.locator(".chat-list .badge")
    expect(badge).to_be_hidden()

    message_id = chat.ask(FOREVER)
    expect(badge).to_be_visible()
    post(server, f"/api{chat.path}/messages/{message_id}/cancel", {})
    expect(badge).to_be_hidden()


def test_nothing_keeps_people_out_of_a_chat(server: Server, open_page: Open) -> None:
    chat = chat_on(server)
    chat.ask(*WORK, {"say": f"{'very-long-word' * 30}\n\n```python\n{'x = 1 ' * 50}\n```\n"})
    chat.ask({"fail": "The tower has fallen"}, content="And now? " + "long" * 100)
    chat.ask(*WORK, FOREVER, content="Go on")
    chat.ask(content="And then?")
    page = chat.look(open_page)
    has_ended(page, "error", number=1)
    expect(answer(page, 2).locator(".plan__item").first).to_be_visible()
    page.locator(".work__bar").first.click()
    expect(page.locator(".thread .thinking summary").first).to_be_visible()
    page.locator(".thread .thinking summary").first.click()

    for look in each_way_to_look(page):
        assert axe(page) == [], look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
    page.goto(f"{server.url}/chats")
    is_live(page)
    for look in each_way_to_look(page):
        assert axe(page) == [], look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
