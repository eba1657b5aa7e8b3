"""A Chromium and a server for it. What is missing is said in one loud line at the end."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from tests.servers import Server

# The one without windows first: a page in it costs a fraction.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
]
# For machines that are busy with other tests: who waits for a fact goes on as soon as it is one.
NEEDED_WITHIN_MS = 150_000

Open = Callable[..., Page]

expect.set_options(timeout=NEEDED_WITHIN_MS)


def chromium() -> str | None:
    given = os.environ.get("CHROMIUM")
    return given or next(filter(None, map(shutil.which, NAMES)), None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if chromium() is None:
        line = "NO CHROMIUM FOUND: no page was tested. Install one, or set CHROMIUM to its path."
        terminalreporter.write_line(line, red=True)
    if shutil.which("node") is None:
        line = "NO NODE.JS FOUND: the JavaScript modules were not tested by themselves."
        terminalreporter.write_line(line, red=True)


# Not of the session: Playwright's loop counts as running, and async tests elsewhere want their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        pytest.skip("there is no Chromium: install one, or set CHROMIUM to its path")
    # Chromium's sandbox does not work for root.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*QUIET, *sandbox])
        yield browser
        browser.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server in local mode: whoever is on this machine needs no login."""
    yield from _running(is_local=True)


@pytest.fixture(scope="module")
def common_server() -> Iterator[Server]:
    """One for those tests of a module that do not mind what the others leave on it."""
    yield from _running(is_local=True)


@pytest.fixture
def guarded_server() -> Iterator[Server]:
    """A server that wants to know who calls."""
    yield from _running(is_local=False)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Open an address in a window of its own; what the console complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.text} ({message.location.get('url')})")

    def open_page(
        url: str, *, width: int = 1280, scripts: bool = True, strict: bool = True
    ) -> Page:
        size = ViewportSize(width=width, height=800)
        context = browser.new_context(viewport=size, java_script_enabled=scripts)
        contexts.append(context)
        context.set_default_timeout(NEEDED_WITHIN_MS)
        page = context.new_page()
        if strict:
            page.on("console", note)
            page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def _running(*, is_local: bool) -> Iterator[Server]:
    server = Server(is_local=is_local)
    try:
        server.start()
        yield server
    finally:
        server.discard()
