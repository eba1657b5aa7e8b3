"""Reading along while an agent answers: what each frame takes in Chromium, and what memory grows.

The page follows the answer as any reader's does. The collector of the browser is run for the
figures of memory only, in an answer of their own, as it would hold up the frames.
"""

import argparse
import json
import os
import shutil
import statistics
import urllib.request
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks.agentpipe_server import KEY, AgentPipe
from benchmarks.clients import HOST

PIECES_A_SECOND = 50
ALLOWED_FRAME_MS = 50
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

WATCH = """() => {
  window.frames_ms = [];
  window.tasks_ms = [];
  let last = performance.now();
  const note = (now) => {
    frames_ms.push(now - last);
    last = now;
    requestAnimationFrame(note);
  };
  requestAnimationFrame(note);
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) tasks_ms.push(duration);
  }).observe({ type: "longtask" });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with AgentPipe() as server, sync_playwright() as playwright:
        program = os.environ.get("CHROMIUM") or shutil.which("chromium")
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        reader = Reader(f"http://{HOST}:{server.port}", page)
        reader.report_frames(options.seconds)
        reader.report_memory(options.seconds)
        browser.close()


class Reader:
    def __init__(self, url: str, page: Page) -> None:
        self.url = url
        self.page = page

    def report_frames(self, seconds: int) -> None:
        self._begin(seconds)
        browser = self.page.context.new_cdp_session(self.page)
        # What the page's thread has worked, whatever else the machine does.
        browser.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = _metrics(browser)
        self.page.evaluate(WATCH)
        self.page.locator('answer-stream[status="completed"]').wait_for(timeout=seconds * 2000)
        frames = sorted(self.page.evaluate("frames_ms"))
        tasks = self.page.evaluate("tasks_ms")
        print(f"\n{PIECES_A_SECOND} pieces a second for {seconds} s", flush=True)
        print(f"  {len(frames):,} frames: median {statistics.median(frames):.1f} ms,", end=" ")
        print(f"p99 {frames[int(0.99 * len(frames))]:.1f} ms, longest {frames[-1]:.1f} ms")
        late = sum(frame > ALLOWED_FRAME_MS for frame in frames)
        print(f"  longer than {ALLOWED_FRAME_MS} ms: {late} frames, {len(tasks)} tasks")
        used = {name: value - before[name] for name, value in _metrics(browser).items()}
        for name in ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration"):
            print(f"  CPU of {name}: {1000 * used[name] / len(frames):.2f} ms a frame")

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


def _memory(browser: CDPSession) -> tuple[float, int]:
    """KiB of the page's heap, and the nodes of its documents."""
    browser.send("HeapProfiler.collectGarbage")
    found = _metrics(browser)
    return found["JSHeapUsedSize"] / KIB, int(found["Nodes"])


def _metrics(browser: CDPSession) -> dict[str, float]:
    metrics = browser.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in metrics}


if __name__ == "__main__":
    main()
