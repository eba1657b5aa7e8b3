"""The doors of workflows and of their runs."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.views import checked
from conversations.access import Caller, caller_of, counted, project_for, reading_or
from conversations.api import lists
from conversations.api.lists import CURSORS, PAGING
from conversations.errors import BodyTooLarge
from conversations.models import ApiKey, Project
from streaming import replay
from workflows import services
from workflows.access import WorkflowsOf, workflow_for, workflow_run_for, workflow_runs_for
from workflows.models import NodeState, WorkflowRun
from workflows.serializers import (
    DecisionSerializer,
    InputSerializer,
    RerunSerializer,
    WholeWorkflowRunSerializer,
    WholeWorkflowSerializer,
    WorkflowAnswerSerializer,
    WorkflowRunAnswerSerializer,
    WorkflowRunSerializer,
    WorkflowSerializer,
)
from workflows.writing import read_yaml

NEWEST_FIRST = ("-created_at", "-id")
EVENTS_A_PAGE = 500
NAMELESS = "local"
NODES = Prefetch("nodes", NodeState.objects.filter(item=None).only("run", "item", "state"))
# Reading YAML takes a second for each of these, and JSON nothing.
LONGEST_YAML = 128 * 1024
# Of the definition itself.
DEFINITION = {"application/json": OpenApiTypes.OBJECT, "application/yaml": OpenApiTypes.STR}


RUNS = lists.list_of(WorkflowRunSerializer)


class YAML(BaseParser):
    media_type = "application/yaml"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(LONGEST_YAML + 1)
        if len(body) > LONGEST_YAML:
            raise BodyTooLarge
        return read_yaml(body)


class WorkflowDoor(APIView):
    parser_classes = (*APIView.parser_classes, YAML)

    scope = reading_or("write")


class WorkflowsView(WorkflowDoor):
    @extend_schema(
        operation_id="api_projects_workflows_list",
        summary="Workflows that come with the server, and the project's own",
        parameters=PAGING,
        responses=lists.list_of(WorkflowSerializer),
    )
    def get(self, request: Request, project: str) -> Response:
        found: Any = WorkflowsOf(_project(request, project))
        return lists.numbered(self, found, WorkflowSerializer)

    @extend_schema(
        summary="Save a new workflow: the body is its definition",
        request=DEFINITION,
        responses={201: WorkflowAnswerSerializer},
    )
    def post(self, request: Request, project: str) -> Response:
        saved = services.save_new(_project(request, project), request.data)
        return Response({"workflow": WholeWorkflowSerializer(saved).data}, status=201)


class WorkflowView(WorkflowDoor):
    @extend_schema(summary="One workflow, with its definition", responses=WorkflowAnswerSerializer)
    def get(self, request: Request, project: str, workflow: str) -> Response:
        found = workflow_for(_project(request, project), workflow)
        return Response({"workflow": WholeWorkflowSerializer(found).data})

    @extend_schema(
        summary="Put another definition in its place; runs that have begun keep theirs",
        request=DEFINITION,
        responses=WorkflowAnswerSerializer,
    )
    def put(self, request: Request, project: str, workflow: str) -> Response:
        found = workflow_for(_project(request, project), workflow)
        saved = services.save_changed(found, request.data)
        return Response({"workflow": WholeWorkflowSerializer(saved).data})

    @extend_schema(summary="Delete a workflow; its runs stay", responses={204: None})
    def delete(self, request: Request, project: str, workflow: str) -> Response:
        services.delete(workflow_for(_project(request, project), workflow))
        return Response(status=204)


class WorkflowRunsView(APIView):
    """Runs of one workflow."""

    scope = reading_or("run")
    throttle_scope = counted("messages", on="POST")

    @extend_schema(
        operation_id="api_projects_workflows_runs_list",
        summary="Runs of a workflow, newest first",
        parameters=[*PAGING, *CURSORS, OpenApiParameter("status", str)],
        responses=RUNS,
    )
    def get(self, request: Request, project: str, workflow: str) -> Response:
        found = workflow_for(_project(request, project), workflow)
        runs = workflow_runs_for(caller_of(request), found.project)
        return _listed(self, request, runs.filter(workflow_name=found.name))

    @extend_schema(
        summary="Run a workflow",
        request=InputSerializer,
        responses={201: WorkflowRunAnswerSerializer},
    )
    def post(self, request: Request, project: str, workflow: str) -> Response:
        found = workflow_for(_project(request, project), workflow)
        given = checked(InputSerializer, request)["input"]
        run = services.start_run(found, given=given, by=name_of(caller_of(request)))
        return Response({"run": WholeWorkflowRunSerializer(run).data}, status=201)


class AllRunsView(APIView):
    """Runs of all workflows of a project, also of those that were deleted."""

    scope = "read"

    @extend_schema(
        operation_id="api_projects_workflow_runs_list",
        summary="Runs of all workflows, newest first",
        parameters=[*PAGING, *CURSORS, OpenApiParameter("status", str)],
        responses=RUNS,
    )
    def get(self, request: Request, project: str) -> Response:
        found = _project(request, project)
        return _listed(self, request, workflow_runs_for(caller_of(request), found))


class RunDoor(APIView):
    scope = "run"

    def run_of(self, request: Request, project: str, workflow_run: str) -> WorkflowRun:
        return workflow_run_for(
            caller_of(request), workflow_run, project=_project(request, project)
        )

    def answer(self, run: WorkflowRun) -> Response:
        return Response({"run": WholeWorkflowRunSerializer(run).data})


class WorkflowRunView(RunDoor):
    scope = "read"

    @extend_schema(summary="One run, with its nodes", responses=WorkflowRunAnswerSerializer)
    def get(self, request: Request, project: str, workflow_run: str) -> Response:
        return self.answer(self.run_of(request, project, workflow_run))


class CancelView(RunDoor):
    @extend_schema(
        summary="Stop a run; what its nodes have done stays",
        request=None,
        responses=WorkflowRunAnswerSerializer,
    )
    def post(self, request: Request, project: str, workflow_run: str) -> Response:
        return self.answer(services.cancel_run(self.run_of(request, project, workflow_run)))


class ResumeView(RunDoor):
    throttle_scope = "messages"

    @extend_schema(
        summary="Go on with what failed or was cancelled",
        request=None,
        responses=WorkflowRunAnswerSerializer,
    )
    def post(self, request: Request, project: str, workflow_run: str) -> Response:
        return self.answer(services.resume_run(self.run_of(request, project, workflow_run)))


class RerunView(RunDoor):
    throttle_scope = "messages"

    @extend_schema(
        summary="Do a node again and all that comes after it",
        request=RerunSerializer,
        responses=WorkflowRunAnswerSerializer,
    )
    def post(self, request: Request, project: str, workflow_run: str) -> Response:
        found = self.run_of(request, project, workflow_run)
        return self.answer(services.rerun(found, checked(RerunSerializer, request)["node"]))


class DecisionView(RunDoor):
    is_approved: bool

    def decide(self, request: Request, project: str, workflow_run: str, node: str) -> Response:
        found = self.run_of(request, project, workflow_run)
        comment = checked(DecisionSerializer, request)["comment"]
        by = name_of(caller_of(request))
        return self.answer(
            services.decide(found, node, approved=self.is_approved, by=by, comment=comment)
        )


class ApproveView(DecisionView):
    is_approved = True

    @extend_schema(
        summary="Approve what a run waits for",
        request=DecisionSerializer,
        responses=WorkflowRunAnswerSerializer,
    )
    def post(self, request: Request, project: str, workflow_run: str, node: str) -> Response:
        return self.decide(request, project, workflow_run, node)


class RejectView(DecisionView):
    is_approved = False

    @extend_schema(
        summary="Reject what a run waits for",
        request=DecisionSerializer,
        responses=WorkflowRunAnswerSerializer,
    )
    def post(self, request: Request, project: str, workflow_run: str, node: str) -> Response:
        return self.decide(request, project, workflow_run, node)


class RunEventsView(RunDoor):
    scope = "read"

    @extend_schema(
        summary="What a run has told, as a list of frames",
        parameters=[OpenApiParameter("since", str, description="An event's id, or 0")],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, project: str, workflow_run: str) -> Response:
        topic = self.run_of(request, project, workflow_run).topic
        told = replay.since(topic, request.query_params.get("since"), limit=EVENTS_A_PAGE)
        return Response({"items": told.frames, "has_more": told.has_more})


def name_of(caller: Caller) -> str:
    """By which it is written down who has done it."""
    if caller.user.get_username():
        return caller.user.get_username()
    key = ApiKey.objects.filter(pk=caller.key_id).first() if caller.key_id else None
    return f"key {key.name}" if key else NAMELESS


def _project(request: Request, name: str) -> Project:
    return project_for(caller_of(request), name)


def _listed(view: APIView, request: Request, runs: QuerySet[WorkflowRun]) -> Response:
    known = runs
    if status := request.query_params.get("status"):
        runs = runs.filter(status=status) if "\0" not in status else runs.none()
    # What they were given and have come to is not listed, and may be long.
    runs = runs.defer("definition", "input", "output").prefetch_related(NODES)
    cursor = lists.cursor_of(request)
    if cursor is None:
        return lists.numbered(view, runs.order_by(*NEWEST_FIRST), WorkflowRunSerializer)
    return lists.beside(
        request, runs, WorkflowRunSerializer, cursor=cursor, order=NEWEST_FIRST, known=known
    )
