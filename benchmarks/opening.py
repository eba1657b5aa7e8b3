"""Opening pages of a full record: the first paint, when a page is live, and what it has loaded.

Each time in a window of its own, which has nothing of the site in its cache.
"""

import statistics
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser

from benchmarks.agentpipe_server import AgentPipe
from benchmarks.chromium import SCREEN
from benchmarks.clients import HOST
from benchmarks.corpus import add_conversations, connected

CONVERSATIONS = 10_000
LONG_MESSAGES = 100_000
KIB = 1024

PAGES = {
    "dashboard": "/",
    "dashboard, all time": "/?range=all",
    "conversations": "/conversations",
    "the long one": "/conversations/long",
    "its end": "/conversations/long?before=",
    "its middle": f"/conversations/long?message=long-{LONG_MESSAGES // 2}",
}

OPENED = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const loaded = performance.getEntriesByType("resource");
  const scripts = loaded.filter(({ name }) => name.endsWith(".js") || name.endsWith(".mjs"));
  const sum = (field) => scripts.reduce((total, one) => total + one[field], 0);
  return {
    answer_ms: page.responseEnd,
    paint_ms: paint.startTime,
    live_ms: performance.now(),
    scripts: scripts.length,
    sent: sum("encodedBodySize"),
    read: sum("decodedBodySize"),
  };
}"""


def fill(server: AgentPipe) -> None:
    with connected(server) as database:
        names = [f"short-{number}" for number in range(CONVERSATIONS)]
        # Each a minute after the other, the last of them now: a week of them.
        first = datetime.now(UTC) - timedelta(minutes=CONVERSATIONS)
        add_conversations(database, *names, messages=2, first=first)
        add_conversations(database, "long", messages=LONG_MESSAGES)


def report(server: AgentPipe, browser: Browser, *, times: int) -> None:
    url = f"http://{HOST}:{server.port}"
    print(f"\nopened {times} times, the pages in turns; ms from the click: median (least to most)")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in PAGES}
    for number in range(times + 1):
        for name, path in PAGES.items():
            opened = _opened(browser, url + path)
            if number:  # the first round warms the server up
                found[name].append(opened)
    for name, seen in found.items():
        print(f"  {name:20}", end=" ")
        for what in ("answer", "paint", "live"):
            print(f"{what} {_spread([one[f'{what}_ms'] for one in seen])}", end="  ")
        last = seen[-1]
        print(f"{last['scripts']} scripts of {last['read'] / KIB:.0f} KiB,", end=" ")
        print(f"sent as {last['sent'] / KIB:.0f}", flush=True)


def _opened(browser: Browser, url: str) -> dict[str, float]:
    context = browser.new_context(viewport=SCREEN)
    page = context.new_page()
    page.goto(url)
    page.locator('connection-state[data-phase="live"]').wait_for()
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    opened: dict[str, float] = page.evaluate(OPENED)
    context.close()
    return opened


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):4.0f} ({min(values):.0f} to {max(values):.0f})"
