"""Reading: opening pages of a full record, and then looking at those that change all the time.

Of the latter, what each frame takes in Chromium, and what memory grows. The pages follow as any
reader's do. The collector of the browser is run for the figures of memory only, in an answer of
their own, as it would hold up the frames.
"""

import argparse
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import CDPSession, Page

from benchmarks import opening
from benchmarks.agentpipe_server import KEY, AgentPipe, Bridge
from benchmarks.chromium import SCREEN, Watch, chromium, metrics
from benchmarks.clients import HOST

PIECES_A_SECOND = 50
EVENTS_A_SECOND = 30
SAMPLES = 6
KIB = 1024

PART = """## Floor {number}

The **{number}th floor** stands on [the one below](https://example.com/floors) and has *no* walls to
speak of, but `{number}` columns. Whoever plans it has to know its weight, and what the wind does.

- limestone, from the quarry on the other side of the river
- steel, where nobody sees it

```python
def weight(floor: int) -> float:
    return {number} * 2.5 + floor  # tonnes
```

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--times", type=int, default=10, help="that each page is opened")
    options = parser.parse_args()
    with AgentPipe() as server, chromium() as browser:
        opening.fill(server)
        opening.report(server, browser, times=options.times)
        page = browser.new_page(viewport=SCREEN)
        reader = Reader(server, page)
        reader.report_dashboard(options.seconds)
        reader.report_frames(options.seconds)
        reader.report_memory(options.seconds)


class Reader:
    def __init__(self, server: AgentPipe, page: Page) -> None:
        self.server = server
        self.url = f"http://{HOST}:{server.port}"
        self.page = page

    def report_dashboard(self, seconds: int) -> None:
        """While events come, as from a few agents that work."""
        self.page.goto(self.url)
        self.page.locator('connection-state[data-phase="live"]').wait_for()
        self.page.locator("spend-plot canvas").first.wait_for()
        with _events(self.server):
            watch = Watch(self.page)
            self.page.wait_for_timeout(1000 * seconds)
            busyness = watch.end()
        print(f"\nthe dashboard, {EVENTS_A_SECOND} events a second for {seconds} s", flush=True)
        busyness.print(seconds)

    def report_frames(self, seconds: int) -> None:
        self._begin(seconds)
        watch = Watch(self.page)
        self.page.locator('answer-stream[status="completed"]').wait_for(timeout=seconds * 2000)
        busyness = watch.end()
        print(f"\na chat, {PIECES_A_SECOND} pieces a second for {seconds} s", flush=True)
        busyness.print(seconds)

    def report_memory(self, seconds: int) -> None:
        self._begin(seconds)
        browser = self.page.context.new_cdp_session(self.page)
        browser.send("Performance.enable")
        print("\n  memory while an answer grows, after the collector has run", flush=True)
        for sample in range(SAMPLES):
            self.page.wait_for_timeout(1000 * seconds / SAMPLES)
            length = self.page.evaluate("document.querySelector('markdown-text').text.length")
            used, nodes = _memory(browser)
            at = f"{(sample + 1) * seconds / SAMPLES:.0f} s"
            print(f"  {at:>5}  {length:7,} characters  {nodes:6,} nodes  {used:8,.0f} KiB")

    def _begin(self, seconds: int) -> None:
        chat = self._post("/api/users/local/chats", {"agent_id": "scripted"})["chat_id"]
        self.page.goto(f"{self.url}/chats/{chat}")
        self.page.locator('connection-state[data-phase="live"]').wait_for()
        pieces = PIECES_A_SECOND * seconds
        text = "".join(PART.format(number=number) for number in range(seconds))
        say = {"say": text, "pieces": pieces, "every_ms": 1000 // PIECES_A_SECOND}
        question = {"content": "How is it built?", "metadata": {"script": [say]}}
        self._post(f"/api/chats/{chat}/messages", question)
        self.page.locator('answer-stream[status="processing"]').wait_for()

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@contextmanager
def _events(server: AgentPipe) -> Iterator[None]:
    """Publish them one by one, until the end."""
    bridge = Bridge(server.port)
    is_over = threading.Event()

    def publish() -> None:
        number = 0
        while not is_over.wait(1 / EVENTS_A_SECOND):
            number += 1
            bridge.say(f"The {number}th stone is **laid**. " * 8)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _memory(browser: CDPSession) -> tuple[float, int]:
    """KiB of the page's heap, and the nodes of its documents."""
    browser.send("HeapProfiler.collectGarbage")
    found = metrics(browser)
    return found["JSHeapUsedSize"] / KIB, int(found["Nodes"])


if __name__ == "__main__":
    main()
