"""The dashboard of a project as the server writes it, before any script runs."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import AgentRun
from conversations.ingest.receive import receive
from conversations.models import Project
from tests.clients import said, started

Look = Callable[..., str]


@pytest.fixture
def look(alice: User) -> Look:
    """The page as alice sees it."""
    client = Client()
    client.force_login(alice)

    def look(**query: str) -> str:
        answer = client.get("/", query)
        assert answer.status_code == 200
        return answer.content.decode()

    return look


def tell(project: Project, kind: str, data: dict[str, Any], **age: float) -> None:
    at = (timezone.now() - timedelta(**age)).isoformat()
    answer = receive([{"type": kind, "data": data, "timestamp": at}], project=project)[0]
    assert answer.status < 300


def figure(page: str, name: str) -> str:
    found = re.search(rf'data-figure="{name}">([^<]*)<', page)
    assert found
    return found[1]


def listed(page: str, element: str) -> list[str]:
    """The ids of the rows in a list, in order."""
    part = page[page.index(f"<{element}") : page.index(f"</{element}")]
    return re.findall(r'class="thing" data-id="([^"]+)"', part)


def test_an_empty_project_says_how_to_fill_it(project: Project, look: Look) -> None:
    page = look()

    assert "curl http://testserver/api/ingest" in page
    assert "export AGENTPIPE_URL=http://testserver" in page
    assert "data-empty" in page


def test_what_was_recorded_is_counted_by_time_agent_and_model(project: Project, look: Look) -> None:
    tell(project, "conversation.started", started("s-1"), minutes=2)
    for model in ("opus", "haiku"):
        data = said("s-1", "Stone", agent_type="claude", model=model, tokens_used=1500, cost=0.75)
        tell(project, "message.created", data, minutes=1)

    page = look()

    names = ("cost", "totalTokens", "messages", "conversations", "active")
    assert [figure(page, name) for name in names] == ["$1.50", "3,000", "2", "1", "1"]
    rows = re.findall(r'data-part="name">([^<]+)</th><td [^>]*>([^<]*)<', page)
    assert [row for row in rows if row[0] in {"claude", "opus", "haiku"}] == [
        ("claude", "$1.50"),
        ("haiku", "$0.7500"),
        ("opus", "$0.7500"),
    ]
    assert listed(page, "active-conversations") == ["s-1"]
    assert "data-empty" not in page


def test_the_range_is_in_the_address_and_one_that_is_none_is_the_usual_one(
    project: Project, look: Look
) -> None:
    tell(project, "message.created", said("s-1", "Old"), days=3)

    counted = {reach: figure(look(range=reach), "messages") for reach in ("24h", "7d", "a\0")}

    assert counted == {"24h": "0", "7d": "1", "a\0": "1"}
    assert 'range=24h&amp;by=agent" aria-current="true"' in look(range="24h")


def test_whose_figures_are_told_apart_is_in_the_address_too(project: Project, look: Look) -> None:
    for by, told in (("model", "model"), ("a\0", "agent")):
        page = look(range="30d", by=by)

        assert f'<project-dashboard by="{told}"' in page
        assert f'range=30d&amp;by={told}" aria-current="true">By {told}' in page


def test_runs_at_work_stand_before_those_that_have_ended(project: Project, look: Look) -> None:
    ids = [make_run(project, AgentRun.Status.COMPLETED, minutes=age) for age in range(7)]
    waiting = make_run(project, AgentRun.Status.QUEUED, hours=1)
    working = make_run(project, AgentRun.Status.RUNNING, minutes=30)

    assert listed(look(), "run-list") == [working, waiting, *ids[:4]]


def make_run(project: Project, status: AgentRun.Status, **age: float) -> str:
    run = project.runs.create(
        agent_id="guide",
        agent_name="Guide",
        prompt="Who is there?",
        status=status,
        created_at=timezone.now() - timedelta(**age),
    )
    return run.public_id


def test_imports_are_shown_with_how_far_they_are(project: Project, look: Look) -> None:
    project.ingest_jobs.create(kind="events", status="running", size=200, offset=50, new=1234)

    page = look()

    assert 'value="25.0"' in page
    assert "1,234 new" in page


def test_what_agents_write_is_text(project: Project, look: Look) -> None:
    attack = "</li><script>alert(1)</script>"
    people = [{"agent_id": attack, "agent_type": attack, "name": attack}]
    tell(project, "conversation.started", started("s-1", name=attack, participants=people))
    tell(project, "message.created", said("s-1", attack, agent_type=attack, model=attack))

    assert "<script>alert" not in look()


def test_members_see_it_and_strangers_do_not(
    project: Project, look: Look, charlie: User, bob: User
) -> None:
    client = Client()
    heard = []
    for user in (bob, charlie):
        client.force_login(user)
        heard.append(client.get("/", {"project": "tower"}).status_code)

    assert heard == [200, 404]


def test_it_costs_the_same_queries_at_any_size(project: Project, look: Look) -> None:
    costs = []
    for many in (1, 10):
        for number in range(many):
            tell(project, "conversation.started", started(f"s-{many}-{number}"))
            tell(project, "message.created", said(f"s-{many}-{number}", "Stone"), hours=number)
            make_run(project, AgentRun.Status.COMPLETED)
            project.ingest_jobs.create(kind="events")
        with CaptureQueriesContext(connection) as queries:
            look(range="all")
        costs.append(len(queries))

    assert costs[0] == costs[1]
