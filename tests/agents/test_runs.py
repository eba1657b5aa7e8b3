"""Runs without a chat: asked for, listed, followed, stopped, done again."""

import re

import pytest

from tests.agents.chatting import Chatting, kinds, said
from tests.clients import Api, Json, eventually

RUNS = "/api/projects/tower/runs"
ENDLESS: list[Json] = [{"say": "Once upon a time "}, {"wait_ms": 60_000}]


async def begin(api: Api, *script: Json, prompt: str = "Go on", agent: str = "scripted") -> Json:
    metadata = {"script": list(script)} if script else {}
    answer = await api.post(RUNS, json={"agentId": agent, "prompt": prompt, "metadata": metadata})
    assert answer.status_code == 201, answer.text
    run: Json = answer.json()["run"]
    return run


async def shown(api: Api, run: Json) -> Json:
    found: Json = (await api.get(f"{RUNS}/{run['id']}")).json()["run"]
    return found


async def reached(api: Api, run: Json, *statuses: str) -> Json:
    async def has() -> bool:
        return (await shown(api, run))["status"] in statuses

    await eventually(has)
    return await shown(api, run)


async def steps_of(api: Api, run: Json, since: str = "0") -> list[Json]:
    found: list[Json] = (await api.get(f"{RUNS}/{run['id']}/events?since={since}")).json()
    return found


@pytest.mark.usefixtures("worker")
async def test_a_run_works_without_a_chat(api: Api) -> None:
    used = {"input_tokens": 10, "output_tokens": 5, "cost": "0.000125"}
    run = await begin(api, {"tool": "measure", "result": "42 m"}, {"say": "42 m."}, {"usage": used})

    done = await reached(api, run, "completed")

    assert re.fullmatch("[0-9a-f]{24}", run["id"])
    assert (run["projectId"], run["agentId"], run["prompt"]) == ("tower", "scripted", "Go on")
    assert (run["status"], run["output"], run["finishedAt"]) == ("queued", None, None)
    assert run["conversationId"] is run["messageId"] is run["answerId"] is None
    assert (done["output"], done["error"], done["toolCalls"]) == ("42 m.", None, 1)
    assert (done["totalTokens"], done["cost"]) == (15, 0.000125)
    assert done["createdAt"] <= done["startedAt"] <= done["finishedAt"]
    assert done["durationMs"] >= 0
    assert (await api.get("/api/conversations")).json()["items"] == []


@pytest.mark.usefixtures("worker")
async def test_its_steps_are_told_as_a_list(api: Api) -> None:
    run = await begin(api, {"status": "Writing"}, {"say": "42 m."})
    await reached(api, run, "completed")

    steps = await steps_of(api, run)

    assert kinds(steps) == ["start", "status", "content", "end"]
    assert (steps[0]["run_id"], "message_id" in steps[0]) == (run["id"], False)
    assert said(steps) == "42 m."
    assert await steps_of(api, run, since=steps[1]["id"]) == steps[2:]
    assert (await api.get(f"{RUNS}/{run['id']}/events")).json() == steps
    assert (await api.get(f"{RUNS}/{run['id']}/events?since=soon")).status_code == 400


@pytest.mark.usefixtures("worker")
async def test_a_run_that_failed_says_why_and_is_done_again_as_another(api: Api) -> None:
    run = await begin(api, {"say": "Well, "}, {"fail": "No such tower"})
    failed = await reached(api, run, "failed")

    again = await api.post(f"{RUNS}/{run['id']}/resume")

    assert (failed["error"], failed["output"]) == ("No such tower", "Well, ")
    assert [step["type"] for step in await steps_of(api, run)][-2:] == ["error", "end"]
    assert again.status_code == 201
    other = again.json()["run"]
    assert other["id"] != run["id"]
    assert (other["prompt"], other["agentId"]) == (run["prompt"], "scripted")
    # What it was given to go by, too: it fails as the first did.
    assert (await reached(api, other, "failed"))["error"] == "No such tower"


@pytest.mark.usefixtures("worker")
async def test_a_run_is_stopped_and_keeps_what_it_has_said(api: Api) -> None:
    run = await begin(api, *ENDLESS)

    async def has_spoken() -> bool:
        return "content" in kinds(await steps_of(api, run))

    await eventually(has_spoken)

    answer = await api.post(f"{RUNS}/{run['id']}/cancel")

    assert answer.status_code == 200
    cancelled = answer.json()["run"]
    assert (cancelled["status"], cancelled["output"]) == ("cancelled", "Once upon a time ")
    steps = await steps_of(api, run)
    assert (steps[-1]["type"], steps[-1]["status"]) == ("end", "cancelled")
    again = await api.post(f"{RUNS}/{run['id']}/cancel")
    assert again.status_code == 409
    assert again.json()["error"]


@pytest.mark.usefixtures("worker")
async def test_what_goes_on_or_went_well_is_not_done_again(api: Api) -> None:
    done, going_on = await begin(api, {"say": "Done."}), await begin(api, *ENDLESS)
    await reached(api, done, "completed")
    await reached(api, going_on, "running")
    for run in (done, going_on):
        answer = await api.post(f"{RUNS}/{run['id']}/resume")
        assert answer.status_code == 409
        assert answer.json()["error"]
    await api.post(f"{RUNS}/{going_on['id']}/cancel")


@pytest.mark.usefixtures("worker")
async def test_the_runs_of_chats_are_among_them(api: Api, chatting: Chatting) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Well, "}, {"fail": "No tower"})
    await chatting.ended(asked, "error")
    (run,) = (await api.get(RUNS)).json()["items"]
    again = await api.post(f"{RUNS}/{run['id']}/resume")

    assert (run["messageId"], run["answerId"]) == (asked["message_id"], asked["answer_id"])
    assert run["conversationId"] == asked["chat"]
    # The same question is answered, by another run.
    assert again.json()["run"]["messageId"] == asked["message_id"]
    assert again.json()["run"]["id"] != run["id"]


async def test_runs_are_listed_newest_first_by_pages_and_by_cursor(api: Api) -> None:
    first, second, third = [await begin(api, prompt=f"Prompt {number}") for number in range(3)]
    await api.post(f"{RUNS}/{second['id']}/cancel")

    async def listed(query: str) -> list[str]:
        items = (await api.get(f"{RUNS}?{query}")).json()["items"]
        return [run["id"] for run in items]

    page = (await api.get(f"{RUNS}?page_size=2")).json()
    assert [run["id"] for run in page["items"]] == [third["id"], second["id"]]
    assert (page["total"], page["total_pages"], page["has_more"]) == (3, 2, True)
    assert await listed("page_size=2&page=2") == [first["id"]]
    assert await listed(f"after={second['id']}") == [first["id"]]
    assert await listed(f"before={second['id']}") == [third["id"]]
    assert await listed("status=cancelled") == [second["id"]]
    assert await listed("status=queued&agent=scripted") == [third["id"], first["id"]]
    assert await listed("agent=nobody") == await listed("status=%00") == []
    assert (await api.get(f"{RUNS}?after=nothing")).status_code == 400


async def test_without_an_agent_the_default_one_works(api: Api) -> None:
    answer = await api.post(RUNS, json={"prompt": "How high?"})
    assert answer.json()["run"]["agentId"] == "default"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"prompt": ""}, 400),
        ({"prompt": "x" * 200_001}, 400),
        ({"prompt": "?", "metadata": [1]}, 400),
        ({"prompt": "?", "agentId": None}, 400),
        ({"prompt": "?", "agentId": "nobody"}, 404),
        (["prompt"], 400),
        (None, 400),
    ],
)
async def test_a_run_that_cannot_be_is_refused(api: Api, body: object, status: int) -> None:
    answer = await api.post(RUNS, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert (await api.get(RUNS)).json()["total"] == 0


@pytest.mark.parametrize("run_id", ["0" * 24, "%00", "x" * 300])
async def test_a_run_that_is_none_is_not_found(api: Api, run_id: str) -> None:
    for method, door in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/resume")):
        answer = await api.request(method, f"{RUNS}/{run_id}{door}")
        assert (answer.status_code, answer.json()) == (404, {"error": "Run not found"})


async def test_a_run_is_found_in_its_own_project_only(api: Api) -> None:
    run = await begin(api)
    for project in ("default", "no-such-project"):
        answer = await api.get(f"/api/projects/{project}/runs/{run['id']}")
        assert answer.status_code == 404
