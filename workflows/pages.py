"""Pages of workflows: all of a project, one to be run, and a run of one."""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.access import caller_of, counted, project_for, projects_of, reading_or
from conversations.models import Project
from conversations.pages.doors import FormPage
from streaming import replay
from streaming.events import id_without_event
from workflows import services
from workflows.access import WorkflowsOf, workflow_for, workflow_run_for, workflow_runs_for
from workflows.checking import parsed
from workflows.definition import Input
from workflows.errors import (
    Invalid,
    NodeNotFound,
    NothingToResume,
    NotOurs,
    NotWaiting,
    StillGoingOn,
    WorkflowRunFinished,
)
from workflows.models import WorkflowRun
from workflows.panels import panels_of
from workflows.views import NEWEST_FIRST, NODES, name_of

RUNS_SHOWN = 30
# Somebody else was first, or it has ended meanwhile: the page then shows it.
TOO_LATE = (NodeNotFound, NothingToResume, NotOurs, NotWaiting, StillGoingOn, WorkflowRunFinished)

Json = dict[str, Any]


class WorkflowPageDoor(FormPage):
    scope = reading_or("run")
    throttle_scope = counted("messages", on="POST")

    def project_of(self, request: Request) -> Project:
        return project_for(caller_of(request), request.query_params.get("project"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A run in a list."""

    run: WorkflowRun
    done: int
    total: int


@extend_schema(exclude=True)
class WorkflowsPage(WorkflowPageDoor):
    """The workflows of a project, and their newest runs."""

    def get(self, request: Request) -> Response:
        project = self.project_of(request)
        since = id_without_event(replay.last_number(project.topic))
        context: Json = {
            "project": project,
            "projects": projects_of(caller_of(request)).order_by("slug"),
            "since": since,
            "workflows": WorkflowsOf(project).all,
            "rows": _rows(request, project),
        }
        return Response(context, template_name="workflows/list.html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An input as its form has it."""

    name: str
    wanted: Input
    value: str
    fault: str

    @property
    def label(self) -> str:
        return self.wanted.title or self.name.replace("_", " ").capitalize()


@extend_schema(exclude=True)
class WorkflowPage(WorkflowPageDoor):
    """One workflow, a form that begins a run of it, and its newest runs."""

    def get(self, request: Request, workflow: str) -> Response:
        return self.shown(request, workflow, given=QueryDict(), faults={})

    def post(self, request: Request, workflow: str) -> HttpResponseBase:
        found = workflow_for(self.project_of(request), workflow)
        form = request.data if isinstance(request.data, QueryDict) else QueryDict()
        inputs = parsed(found.definition).inputs
        try:
            given = {name: _read(form, name, wanted) for name, wanted in inputs.items()}
            run = services.start_run(found, given=given, by=name_of(caller_of(request)))
        except Invalid as error:
            faults = {".".join(map(str, path)): message for path, message, _ in error.faults}
            return self.shown(request, workflow, given=form, faults=faults)
        return _to(run)

    def shown(
        self, request: Request, workflow: str, *, given: QueryDict, faults: dict[str, str]
    ) -> Response:
        project = self.project_of(request)
        since = id_without_event(replay.last_number(project.topic))
        found = workflow_for(project, workflow)
        inputs = parsed(found.definition).inputs
        asked = [
            Asked(
                name=name,
                wanted=wanted,
                value=given.get(name) or _written(wanted.default),
                fault=faults.pop(f"input.{name}", ""),
            )
            for name, wanted in inputs.items()
        ]
        context: Json = {
            "project": project,
            "projects": projects_of(caller_of(request)).order_by("slug"),
            "since": since,
            "workflow": found,
            "asked": asked,
            "faults": faults,
            "written": json.dumps(found.definition, indent=2, ensure_ascii=False),
            "rows": _rows(request, project, workflow=found.name),
        }
        return Response(context, template_name="workflows/workflow.html")


@extend_schema(exclude=True)
class WorkflowRunPage(WorkflowPageDoor):
    def get(self, request: Request, workflow_run: str) -> Response:
        found = workflow_run_for(caller_of(request), workflow_run)
        # Before what it tells is read: what comes in between is told again, and nothing is missed.
        since = id_without_event(replay.last_number(found.topic))
        panels = panels_of(found)
        context: Json = {
            "project": found.project,
            "run": found,
            "since": since,
            "panels": panels,
            "done": sum(panel.state.is_finished for panel in panels),
            "waiting": [panel for panel in panels if panel.state.state == "waiting"],
            "can_resume": found.definition is not None and found.status in ("failed", "cancelled"),
            "can_cancel": found.definition is not None and not found.is_finished,
            "output": _written(found.output),
            "input": _written(found.input) if found.input else "",
        }
        return Response(context, template_name="workflows/run.html")

    def post(self, request: Request, workflow_run: str) -> HttpResponseBase:
        found = workflow_run_for(caller_of(request), workflow_run)
        form = request.data if isinstance(request.data, QueryDict) else QueryDict()
        with suppress(*TOO_LATE):
            _do(found, form, by=name_of(caller_of(request)))
        return _to(found)


def _do(run: WorkflowRun, form: QueryDict, *, by: str) -> None:
    if "cancel" in form:
        services.cancel_run(run)
    elif "resume" in form:
        services.resume_run(run)
    elif "rerun" in form:
        services.rerun(run, str(form["rerun"]))
    else:
        for word, approved in (("approve", True), ("reject", False)):
            if word in form:
                comment = form.get("comment", "").replace("\r\n", "\n").strip()
                services.decide(run, str(form[word]), approved=approved, by=by, comment=comment)


def _rows(request: Request, project: Project, *, workflow: str | None = None) -> list[Row]:
    runs = workflow_runs_for(caller_of(request), project)
    if workflow is not None:
        runs = runs.filter(workflow_name=workflow)
    runs = runs.defer("definition", "input", "output").prefetch_related(NODES)
    rows = []
    for run in runs.order_by(*NEWEST_FIRST)[:RUNS_SHOWN]:
        nodes = list(run.nodes.all())
        done = sum(node.is_finished for node in nodes)
        rows.append(Row(run=run, done=done, total=len(nodes)))
    return rows


def _read(form: QueryDict, name: str, wanted: Input) -> Any:
    """What somebody has written into a form, as what it stands for; what does not, as a text."""
    # Browsers end the lines of a form as it was done in 1970.
    text = form.get(name, "").replace("\r\n", "\n").strip()
    if wanted.type == "boolean":
        return name in form
    if not text:
        return None
    if wanted.type == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text.splitlines() if wanted.type == "list" else text


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def _to(run: WorkflowRun) -> HttpResponseBase:
    return redirect(reverse("workflow-run", kwargs={"workflow_run": run.public_id}))
