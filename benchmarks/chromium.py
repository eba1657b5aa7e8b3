"""The browser of the benchmarks, and what a page's thread was kept busy with."""

import os
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, CDPSession, Page, ViewportSize, sync_playwright

ALLOWED_FRAME_MS = 50
SCREEN = ViewportSize(width=1280, height=800)
PARTS = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")

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


@contextmanager
def chromium() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Busyness:
    """How long the frames of a while took, and what the page's thread did in it."""

    frames_ms: list[float]
    tasks_ms: list[float]
    # Seconds of CPU, by the name that Chromium has for the work.
    used_s: dict[str, float]

    def print(self, seconds: int) -> None:
        frames = self.frames_ms
        print(f"  {len(frames):,} frames: median {statistics.median(frames):.1f} ms,", end=" ")
        print(f"p99 {frames[int(0.99 * len(frames))]:.1f} ms, longest {frames[-1]:.1f} ms")
        late = sum(frame > ALLOWED_FRAME_MS for frame in frames)
        print(f"  longer than {ALLOWED_FRAME_MS} ms: {late} frames,", end=" ")
        print(f"{len(self.tasks_ms)} tasks of {sum(self.tasks_ms):,.0f} ms together")
        for name in PARTS:
            used = self.used_s[name]
            print(f"  CPU of {name}: {1000 * used / len(frames):.2f} ms a frame,", end=" ")
            print(f"{100 * used / seconds:.1f} % of the time")


class Watch:
    """Begins to look at a page; what it has seen is told at the end."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.devtools = page.context.new_cdp_session(page)
        # What the page's thread has worked, whatever else the machine does.
        self.devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.before = metrics(self.devtools)
        page.evaluate(WATCH)

    def end(self) -> Busyness:
        return Busyness(
            frames_ms=sorted(self.page.evaluate("frames_ms")),
            tasks_ms=self.page.evaluate("tasks_ms"),
            used_s={
                name: value - self.before[name] for name, value in metrics(self.devtools).items()
            },
        )


def metrics(devtools: CDPSession) -> dict[str, float]:
    found = devtools.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in found}
