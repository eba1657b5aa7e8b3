"""The pages of runs, before any script runs."""

import re

import httpx
import pytest

from tests.agents.chatting import Chatting
from tests.agents.test_pages import Browser, browser
from tests.clients import Api, Json, eventually

__all__ = ["browser"]

WORK = (
    {"plan": [{"text": "Measure", "status": "in_progress"}, {"text": "Answer"}]},
    {"think": "Walls <first>."},
    {"tool": "measure", "args": {"what": "tower"}, "ms": 5, "result": "42 m"},
    {"say": "It is 42 m high.", "pieces": 4, "every_ms": 1},
)


async def start(api: Api, *script: Json, prompt: str = "How <high>?") -> str:
    body = {"agentId": "scripted", "prompt": prompt, "metadata": {"script": list(script)}}
    answer = await api.post("/api/projects/tower/runs", json=body)
    assert answer.status_code == 201, answer.text
    run_id: str = answer.json()["run"]["id"]
    return run_id


async def has_ended(api: Api, run: str) -> None:
    async def has() -> bool:
        found = (await api.get(f"/api/projects/tower/runs/{run}")).json()["run"]
        return found["finishedAt"] is not None

    await eventually(has)


def story(page: str) -> list[tuple[str, str]]:
    found = re.findall(r'story__name">(.*?)</b> <span[^>]*>(.*?)</span>', page)
    return [(name, words) for name, words in found]


def run_of(answer: httpx.Response) -> str:
    assert answer.status_code == 302, answer.text
    found = re.fullmatch(r"/runs/([0-9a-f]{24})", answer.headers["location"])
    assert found
    return found[1]


@pytest.mark.usefixtures("worker")
async def test_a_run_is_told_from_its_beginning_to_its_end(api: Api, browser: Browser) -> None:
    run = await start(api, *WORK)
    await has_ended(api, run)

    page = await browser.shown(f"/runs/{run}")

    assert "How <high>?" in page
    assert re.findall(r'data-part="text"[^>]*>(.*?)</', page) == ["It is 42 m high."]
    assert story(page) == [
        ("Begun", ""),
        ("Plan", "0 of 2 done · Measure"),
        ("Thought", "Walls <first>."),
        ("Tool", "measure what='tower'"),
        ("Result", story(page)[4][1]),
        ("Text", "16 characters of the answer"),
        ("End", "Answered"),
    ]
    assert re.fullmatch(r"measure · \d\.\d s · 42 m", story(page)[4][1])
    assert "<replay-player" in page
    assert f'href="/runs/{run}"' in await browser.shown("/runs")


@pytest.mark.usefixtures("worker")
async def test_a_run_tells_nothing_of_other_attempts_at_the_same_answer(
    chatting: Chatting, browser: Browser
) -> None:
    chat = await chatting.open()
    asked = await chatting.ask(chat, {"say": "It is "}, {"fail": "The tower has fallen"})
    await chatting.ended(asked, "error")
    await chatting.retry(asked)
    await chatting.ended(asked, "error")
    found = (await chatting.api.get("/api/projects/tower/runs")).json()["items"]
    second, first = [run["id"] for run in found]

    stories = [story(await browser.shown(f"/runs/{run}")) for run in (first, second)]
    listed = await chatting.api.get(f"/api/projects/tower/runs/{second}/events?since=0")

    end = [("Text", "6 characters of the answer"), ("Error", "The tower has fallen")]
    assert stories[0] == [("Begun", ""), *end, ("End", "Failed")]
    assert stories[1] == [("Status", "Trying again"), ("Begun", ""), *end, ("End", "Failed")]
    assert [step["type"] for step in listed.json()] == [
        *["status", "start", "content", "error", "end"]
    ]


async def test_a_run_is_started_stopped_and_begun_again_by_forms(
    api: Api, browser: Browser
) -> None:
    run = run_of(await browser.fill_in("/runs", agent_id="guide", content="What can\r\nyou do?"))
    waiting = await browser.shown(f"/runs/{run}")
    stopped = [run_of(await browser.fill_in(f"/runs/{run}", stop=run)) for _ in range(2)]
    again = run_of(await browser.fill_in(f"/runs/{run}", retry=run))
    refused = await browser.fill_in("/runs", content=" ")

    assert "None yet: it waits for its turn." in waiting
    assert stopped == [run, run]
    found = {one["id"]: one for one in (await api.get("/api/projects/tower/runs")).json()["items"]}
    assert found[run]["status"] == "cancelled"
    assert found[again]["status"] == "queued"
    assert found[again]["prompt"] == "What can\nyou do?"
    assert "Write a question first" in refused.text
    assert len(found) == 2


async def test_runs_are_filtered_and_their_pages_lead_on(api: Api, browser: Browser) -> None:
    runs = [await start(api, prompt=f"Floor {number}") for number in range(52)]
    await browser.fill_in(f"/runs/{runs[0]}", stop=runs[0])

    newest = await browser.shown("/runs")
    older = re.search(r'href="(\?[^"]*after=[^"]+)">Older runs', newest)
    assert older
    oldest = await browser.shown(f"/runs{older[1]}")
    stopped = await browser.shown("/runs?status=cancelled&agent=scripted")

    def shown(page: str) -> list[str]:
        return re.findall(r'href="/runs/([0-9a-f]{24})"', page)

    assert shown(newest) == runs[:1:-1]
    assert shown(oldest) == runs[1::-1]
    assert shown(stopped) == runs[:1]
    assert shown(await browser.shown("/runs?status=nonsense%00&agent=x")) == []
    assert "No run is like that." in await browser.shown("/runs?agent=x")


async def test_without_a_run_the_page_says_how_to_start_one(browser: Browser) -> None:
    page = await browser.shown("/runs")

    assert "No agent has worked yet" in page
    assert "/api/projects/tower/runs" in page
