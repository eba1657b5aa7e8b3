"""Reading over bad roads: the network cut, the server killed, the laptop asleep.

The dashboard, a conversation and the list of all stand open beside each other. Each of them says
that it is cut off, comes back by itself, and shows what the server would show.
"""

import json
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.browser.road import Road
from tests.servers import KEY, Server

pytestmark = pytest.mark.processes

BEFORE, MEANWHILE = 3, 20


@pytest.fixture
def road(server: Server) -> Iterator[Road]:
    road = Road(server.port)
    yield road
    road.close()


class Readers:
    """Three pages about one conversation, in windows of their own."""

    def __init__(self, server: Server, open_page: Open, url: str) -> None:
        self.server = server
        self.said = 0
        server.ingest("conversation.started", conversation_id="tower", initial_prompt="A tower")
        self.say(BEFORE)
        paths = ("", "/conversations/tower", "/conversations")
        # The browser complains of what is done to it.
        self.pages = [open_page(f"{url}{path}", strict=False) for path in paths]
        self.dashboard, self.conversation, self.list = self.pages
        self.have_it_all()

    def say(self, many: int) -> None:
        for _ in range(many):
            self.said += 1
            self.server.say(f"line {self.said}", sequence_number=self.said, tokens_used=10)

    def have_noticed(self) -> None:
        for page in self.pages:
            expect(connection(page)).not_to_have_text("Live")

    def have_it_all(self) -> None:
        for page in self.pages:
            expect(connection(page)).to_have_text("Live")
        recorded = _recorded(self.server)
        assert len(recorded) == self.said
        lines = self.dashboard.locator('.event[data-kind="message.created"] .event__preview')
        expect(lines).to_have_text(recorded[::-1])
        figure = self.dashboard.locator('[data-figure="totalTokens"]')
        expect(figure).to_have_text(str(10 * self.said))
        expect(self.conversation.locator(".message__text")).to_have_text(recorded)
        heading = self.conversation.locator('conversation-header [data-part="messages"]')
        expect(heading).to_have_text(str(self.said))
        row = self.list.locator(".conversation")
        expect(row).to_contain_text(f"{self.said} messages")

    def sleep(self) -> None:
        """No timer runs and no event is heard."""
        self._live_on("frozen")

    def wake_up(self) -> None:
        self._live_on("active")

    def _live_on(self, state: str) -> None:
        for page in self.pages:
            devtools = page.context.new_cdp_session(page)
            devtools.send("Page.setWebLifecycleState", {"state": state})


def connection(page: Page) -> Locator:
    return page.locator("connection-state")


def _recorded(server: Server) -> list[str]:
    request = urllib.request.Request(
        f"{server.url}/api/conversations/tower/messages?page_size=100",
        headers={"Authorization": f"Bearer {KEY}"},
    )
    with urllib.request.urlopen(request) as answer:
        return [message["content"] for message in json.load(answer)["items"]]


def test_after_the_network_was_cut_nothing_is_missing(
    server: Server, road: Road, open_page: Open
) -> None:
    readers = Readers(server, open_page, road.url)

    road.cut()
    readers.say(MEANWHILE)
    readers.have_noticed()
    road.mend()

    readers.have_it_all()


def test_after_the_server_was_killed_nothing_is_missing_and_what_comes_is_live(
    server: Server, open_page: Open
) -> None:
    readers = Readers(server, open_page, server.url)

    server.kill()
    readers.have_noticed()
    server.start()
    readers.say(MEANWHILE)

    readers.have_it_all()
    readers.say(1)
    readers.have_it_all()


def test_a_laptop_that_slept_shows_what_it_slept_through(server: Server, open_page: Open) -> None:
    readers = Readers(server, open_page, server.url)

    readers.sleep()
    server.kill()
    server.start()
    readers.say(MEANWHILE)
    readers.wake_up()

    readers.have_it_all()
