"""Pages of runs: those of a project, and one of them, to follow and to play again."""

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents import roster, services
from agents.access import run_for, runs_for
from agents.errors import NothingToRetry, RunFinished
from agents.exchanges import Work
from agents.models import AgentRun
from agents.pages import ChatDoor, Question
from agents.story import is_held, story_of
from conversations.access import caller_of, project_for, projects_of
from conversations.api import lists
from conversations.models import Project
from streaming import replay
from streaming.events import id_without_event

RUNS_A_PAGE = 50
NEWEST_FIRST = ("-created_at", "-id")

Json = dict[str, Any]


@extend_schema(exclude=True)
class RunsPage(ChatDoor):
    """The runs of a project, newest first, and a form that starts another."""

    def get(self, request: Request) -> Response:
        return self.shown(request)

    def post(self, request: Request) -> HttpResponseBase:
        project = self._project(request)
        asked = Question(request)
        if asked.complaint:
            return self.shown(request, asked=asked)
        agent_id = asked.agent_id or "default"
        run = services.start_run(project, agent_id=agent_id, prompt=asked.content)
        return _to(run)

    def shown(self, request: Request, **shown: Any) -> Response:
        caller, project = caller_of(request), self._project(request)
        # Before the rows are read: what comes in between is told again, and nothing is missed.
        since = id_without_event(replay.last_number(project.topic))
        known = runs_for(caller, project)
        status, agent = (_chosen(request, name) for name in ("status", "agent"))
        rows, has_older, has_newer = _stretch(request, _filtered(known, status, agent), known)
        context: Json = {
            "project": project,
            "projects": projects_of(caller).order_by("slug"),
            "since": since,
            "runs": [Work(run=run) for run in rows],
            "oldest": rows[-1].public_id if rows and has_older else None,
            "has_newer": has_newer,
            "agents": roster.agents(),
            "statuses": AgentRun.Status.values,
            "status": status,
            "agent": agent,
            **shown,
        }
        return Response(context, template_name="agents/runs.html")

    def _project(self, request: Request) -> Project:
        return project_for(caller_of(request), request.query_params.get("project"))


@extend_schema(exclude=True)
class RunPage(ChatDoor):
    def get(self, request: Request, run: str) -> Response:
        found = run_for(caller_of(request), run)
        context: Json = {
            "project": found.project,
            "run": found,
            "work": Work(run=found),
            "since": id_without_event(found.first_seq - 1),
            "waits": not found.is_finished,
            "can_be_played": is_held(found),
            "story": story_of(found),
            "files": found.files.all(),
        }
        return Response(context, template_name="agents/run.html")

    def post(self, request: Request, run: str) -> HttpResponseBase:
        found = run_for(caller_of(request), run)
        given = request.data if isinstance(request.data, dict) else {}
        try:
            if "stop" in given:
                services.cancel_run(found)
            elif "retry" in given:
                return _to(services.resume_run(found))
        except (RunFinished, NothingToRetry):
            pass  # somebody else was first, which the page then shows
        return _to(found)


def _chosen(request: Request, name: str) -> str:
    wanted = request.query_params.get(name, "")
    return wanted if "\0" not in wanted else ""


def _filtered(runs: QuerySet[AgentRun], status: str, agent: str) -> QuerySet[AgentRun]:
    runs = runs.filter(status=status) if status else runs
    return runs.filter(agent_id=agent) if agent else runs


def _stretch(
    request: Request, runs: QuerySet[AgentRun], known: QuerySet[AgentRun]
) -> tuple[list[AgentRun], bool, bool]:
    """The rows of this page, and whether there are older and newer ones."""
    after = request.query_params.get("after", "")
    # What it said is as long as it likes, and not shown here.
    rows, has_older = lists.stretch(
        runs.defer("output", "metadata"),
        cursor=("after", after),
        size=RUNS_A_PAGE,
        order=NEWEST_FIRST,
        known=known,
    )
    return rows, has_older, bool(after)


def _to(run: AgentRun) -> HttpResponseBase:
    return redirect(reverse("run", kwargs={"run": run.public_id}))
