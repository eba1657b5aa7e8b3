"""One socket for a page, whatever its elements follow, and one place that says how it goes."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.servers import Server, wait_for

pytestmark = pytest.mark.processes

FOLLOW = """async (streams) => {
  const { follow } = await import("/static/js/live.js");
  window.came ??= [];
  window.leaves = streams.map(([stream, since]) =>
    follow(stream, { since }, ({ seq }) => came.push(`${stream} ${seq}`)));
}"""


@pytest.fixture
def page(server: Server, open_page: Open) -> Page:
    """A page that has what the shell of a page that follows something has, and follows nothing."""
    server.say("one")
    page = open_page(f"{server.url}/login")
    page.evaluate(
        "document.querySelector('main').replaceChildren(document.createElement('connection-state'))"
    )
    return page


def test_elements_share_a_socket_and_each_goes_on_from_its_own_place(
    server: Server, page: Page
) -> None:
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))

    page.evaluate(FOLLOW, [["project:default", "0"], ["conversation:tower", None]])
    expect(page.locator("connection-state")).to_have_text("Live")
    assert len(sockets) == 1
    page.evaluate(FOLLOW, [["project:default", None]])
    expect(page.locator("connection-state")).to_have_text("Live")
    assert len(sockets) == 2
    server.say("two")

    wait_for(lambda: len(page.evaluate("came")) >= 4)
    assert sorted(page.evaluate("came")) == [
        "conversation:tower 2",
        "project:default 1",
        "project:default 2",
        "project:default 2",
    ]


def test_the_worst_of_all_that_is_followed_is_what_is_shown(page: Page) -> None:
    page.evaluate(FOLLOW, [["project:default", None], ["conversation:nowhere", None]])
    expect(page.locator("connection-state")).to_contain_text("no such stream")

    page.evaluate("leaves[1]()")

    expect(page.locator("connection-state")).to_have_text("Live")


PART = """<live-part id="part"><section id="one">{}</section><section id="two">
  <details><summary>Input</summary>Stone</details>
  <details><summary>Output</summary>{}</details></section></live-part>"""
SHOW = """async (markup) => {
  await import("/static/js/elements/live-part.js");
  document.querySelector("main").innerHTML = markup;
}"""


def test_what_a_reader_has_unfolded_stays_so_when_a_part_is_shown_anew(page: Page) -> None:
    page.evaluate(SHOW, PART.format("", "A wall"))
    page.get_by_text("Output").click()
    more = "<details><summary>Input</summary>Sand</details>"
    page.route("**/login", lambda route: route.fulfill(body=PART.format(more, "A tower")))

    page.evaluate("document.querySelector('live-part').soon()")

    expect(page.get_by_text("A tower")).to_be_visible()
    unfolded = "all => all.map(part => part.open)"
    assert page.locator("details").evaluate_all(unfolded) == [False, False, True]
