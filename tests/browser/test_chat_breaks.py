"""Chats over bad roads: the network cut, the server killed, the phone asleep."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.asking import answer, chat_on, has_ended, is_live, shown, written
from tests.browser.conftest import Open
from tests.browser.road import Road
from tests.servers import Server

pytestmark = pytest.mark.processes

SLOWLY = {"say": " ".join(f"floor-{n}" for n in range(80)), "pieces": 80, "every_ms": 40}


@pytest.fixture
def road(server: Server) -> Iterator[Road]:
    road = Road(server.port)
    yield road
    road.close()


def test_an_answer_is_whole_after_the_network_was_cut(
    server: Server, road: Road, open_page: Open
) -> None:
    chat = chat_on(server)
    page = chat.look(open_page, url=road.url, strict=False)
    chat.ask(SLOWLY)
    expect(answer(page).locator("markdown-text")).to_contain_text("floor-5")

    road.cut()
    chat.ask(content="And how wide?")
    expect(page.locator("connection-state")).not_to_have_text("Live")
    assert written(page) != SLOWLY["say"]
    road.mend()

    is_live(page)
    for number in range(2):
        has_ended(page, number=number)
    assert [written(page, 0), written(page, 1)] == chat.answers()


def test_an_answer_is_whole_after_the_server_was_killed(server: Server, open_page: Open) -> None:
    chat = chat_on(server)
    page = chat.look(open_page, strict=False)
    chat.ask(SLOWLY)
    expect(answer(page).locator("markdown-text")).to_contain_text("floor-5")

    server.kill()
    expect(page.locator("connection-state")).to_contain_text("Not connected")
    server.start()

    is_live(page)
    expect(answer(page)).to_have_attribute("status", "completed")
    assert written(page) == chat.answers()[0] == SLOWLY["say"]
    live = shown(page)
    page.reload()
    is_live(page)
    assert shown(page) == live


def test_a_phone_that_slept_through_an_answer_shows_it_whole(
    server: Server, open_page: Open
) -> None:
    chat = chat_on(server)
    page = chat.look(open_page, strict=False)
    chat.ask(SLOWLY)
    expect(answer(page).locator("markdown-text")).to_contain_text("floor-5")
    sleep = page.context.new_cdp_session(page)

    # No timer runs and no event is heard, and meanwhile the connection dies.
    sleep.send("Page.setWebLifecycleState", {"state": "frozen"})
    server.kill()
    server.start()
    second = chat.ask(SLOWLY, content="And how wide?")
    sleep.send("Page.setWebLifecycleState", {"state": "active"})

    is_live(page)
    expect(page.locator(f"#m-{second}")).to_be_visible()
    for number in range(2):
        expect(answer(page, number)).to_have_attribute("status", "completed")
    assert [written(page, 0), written(page, 1)] == chat.answers() == [SLOWLY["say"]] * 2
