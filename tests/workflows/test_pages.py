"""The pages of workflows, before any script runs."""

import re

import pytest

from tests.agents.test_pages import Browser, browser
from tests.clients import Api, Json
from tests.workflows.running import PROJECT, Workflows, approval, note, states, tool

pytestmark = pytest.mark.usefixtures("worker")

__all__ = ["browser"]

NODES: tuple[Json, ...] = (
    note("first", "How <high>?"),
    approval("ask", title="Shall it be built?", question="Build {{ nodes.first.output.noted }}"),
    note("last", needs=["ask"]),
)


def graph(page: str) -> dict[str, tuple[str, str]]:
    """What each node needs, and its state."""
    found = re.findall(r'data-node="(.*?)" data-needs="(.*?)" data-state="(.*?)"', page)
    return {name: (needs, state) for name, needs, state in found}


async def test_a_run_is_shown_with_its_graph_and_what_its_nodes_have_come_to(
    workflows: Workflows, browser: Browser
) -> None:
    run = await workflows.run(*NODES)
    await workflows.reached(run, "waiting")

    page = await browser.shown(f"/workflow-runs/{run['id']}")

    assert graph(page) == {
        "first": ("", "completed"),
        "ask": ("first", "waiting"),
        "last": ("ask", "pending"),
    }
    assert '"noted": "How <high>?"' in page
    assert "Build How <high>?" in page
    assert "Run again from here" not in page
    assert 'name="approve" value="ask"' in page


async def test_forms_decide_cancel_resume_and_run_again(
    workflows: Workflows, browser: Browser
) -> None:
    run = await workflows.run(*NODES)
    await workflows.reached(run, "waiting")
    here = f"/workflow-runs/{run['id']}"

    async def press(name: str, value: str = "1", **fields: str) -> None:
        answer = await browser.fill_in(here, **{name: value}, **fields)
        assert (answer.status_code, answer.headers["location"]) == (302, here)

    await press("cancel")
    assert (await workflows.shown(run))["status"] == "cancelled"
    # Too late, which is no fault of whoever presses it.
    await press("cancel")
    await press("resume")
    assert states(await workflows.shown(run))["ask"] == "waiting"
    await press("reject", "ask", comment="Too\r\nhigh")
    failed = await workflows.ended(run)
    assert failed["error"] == "ask: Rejected by alice: Too\nhigh"
    assert "Resume</button>" in await browser.shown(here)
    await press("resume")
    await press("approve", "ask")
    done = await workflows.ended(run)
    assert (done["status"], done["nodes"][1]["output"]["by"]) == ("completed", "alice")
    assert (await browser.shown(here)).count("Run again from here") == 3
    await press("rerun", "last")
    assert (await workflows.ended(run))["status"] == "completed"


async def test_a_form_asks_for_what_a_run_is_given(
    workflows: Workflows, browser: Browser, api: Api
) -> None:
    await workflows.save(
        tool("say", arguments={"value": "{{ input }}"}),
        inputs={
            "topic": {"type": "string", "title": "What about", "description": "In a <word>"},
            "floors": {"type": "integer", "required": False, "default": 5},
            "is_tall": {"type": "boolean", "required": False},
            "stones": {"type": "list", "required": False},
            "more": {"type": "object", "required": False},
        },
    )
    here = "/workflows/build?project=tower"
    page = await browser.shown(here)
    assert "What about" in page
    assert "In a <word>" in page

    wrong = await browser.fill_in(here, floors="many", more="{")

    assert wrong.status_code == 200
    assert "Required" in wrong.text
    assert "Expected an integer" in wrong.text
    assert "Expected an object" in wrong.text
    assert 'value="many"' in wrong.text
    begun = await browser.fill_in(
        here, topic="{towers}", is_tall="on", stones="granite\r\nslate", more='{"a": [1]}'
    )
    assert begun.status_code == 302, begun.text
    run = await workflows.ended({"id": begun.headers["location"].rpartition("/")[2]})
    assert run["startedBy"] == "alice"
    assert run["output"]["say"] == {
        "topic": "{towers}",
        "floors": 5,
        "is_tall": True,
        "stones": ["granite", "slate"],
        "more": {"a": [1]},
    }


async def test_a_run_from_outside_is_shown_by_whatever_names_it_has(
    browser: Browser, api: Api
) -> None:
    events = [
        {
            "type": "workflow.node_state.updated",
            "node": {"runId": "a b c", "workflow": "x/<y>", "id": "one two/3", "state": "failed"},
        },
        {
            "type": "workflow.run.updated",
            "workflow": {"id": "a b c", "workflow": "x/<y>", "status": "failed"},
        },
    ]
    answer = await api.post(f"{PROJECT}/events", json=events)
    assert answer.status_code == 201, answer.text
    listed = await browser.shown("/workflows?project=tower")
    address = re.search(r"/workflow-runs/[0-9a-f]{24}", listed)
    assert address

    page = await browser.shown(address[0])

    assert "Run of x/<y>" in page
    assert graph(page) == {"one two/3": ("", "failed")}
    assert 'href="#node-one two/3"' not in page
    assert "Run again from here" not in page
    # What is carried out elsewhere is not stopped here.
    assert (await browser.fill_in(address[0], cancel="1")).status_code == 302
    assert "Failed</span>" in await browser.shown(address[0])


async def test_workflows_and_their_runs_are_listed(workflows: Workflows, browser: Browser) -> None:
    empty = await browser.shown("/workflows?project=tower")
    assert "No workflow has run here yet" in empty
    assert "Website content" in empty
    run = await workflows.run(*NODES, title="Build <it>")
    await workflows.reached(run, "waiting")

    page = await browser.shown("/workflows?project=tower")

    assert "Build <it>" in page
    assert f"/workflow-runs/{run['id']}" in page
    assert "1 of 3 done" in page
    assert f"/workflow-runs/{run['id']}" in await browser.shown("/workflows/build?project=tower")
    assert (await browser.get("/workflows/ruin?project=tower")).status_code == 404
    assert (await browser.get(f"{PROJECT}/workflows")).status_code == 200
