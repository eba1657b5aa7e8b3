"""The doors of runs, and the command center: agents at work, with a chat or without."""

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents import roster, services, wire
from agents.access import chat_for, run_for, runs_for
from agents.models import AgentRun, Chat
from agents.serializers import (
    NEW_CHAT,
    CommandSerializer,
    NewRunSerializer,
    RunAnswerSerializer,
    RunSerializer,
    StepSerializer,
)
from agents.story import events_of
from agents.views import MOST_EVENTS, checked
from conversations.access import caller_of, counted, project_for, reading_or
from conversations.api import lists
from conversations.api.lists import CURSORS, PAGING
from streaming.sse import sse_response

NEWEST_FIRST = ("-created_at", "-id")
NAMELESS = "command-center"


class RunsView(APIView):
    scope = reading_or("run")
    throttle_scope = counted("messages", on="POST")

    @extend_schema(
        operation_id="api_projects_runs_list",
        summary="Runs of a project, newest first",
        parameters=[
            *PAGING,
            *CURSORS,
            OpenApiParameter("status", str),
            OpenApiParameter("agent", str, description="An agent's id"),
        ],
        responses=lists.list_of(RunSerializer),
    )
    def get(self, request: Request, project: str) -> Response:
        caller = caller_of(request)
        of_project = runs_for(caller, project_for(caller, project))
        runs = of_project
        for name, field in (("status", "status"), ("agent", "agent_id")):
            if wanted := request.query_params.get(name):
                runs = runs.filter(**{field: wanted}) if "\0" not in wanted else runs.none()
        cursor = lists.cursor_of(request)
        if cursor is None:
            return lists.numbered(self, runs.order_by(*NEWEST_FIRST), RunSerializer)
        return lists.beside(
            request, runs, RunSerializer, cursor=cursor, order=NEWEST_FIRST, known=of_project
        )

    @extend_schema(
        summary="Have an agent work without a chat",
        request=NewRunSerializer,
        responses={201: RunAnswerSerializer},
    )
    def post(self, request: Request, project: str) -> Response:
        wanted = checked(NewRunSerializer, request)
        run = services.start_run(
            project_for(caller_of(request), project),
            agent_id=wanted["agentId"],
            prompt=wanted["prompt"],
            metadata=wanted["metadata"],
        )
        return Response({"run": RunSerializer(run).data}, status=201)


class RunDoor(APIView):
    def run_of(self, request: Request, project: str, run: str) -> AgentRun:
        caller = caller_of(request)
        return run_for(caller, run, project=project_for(caller, project))


class RunView(RunDoor):
    scope = "read"

    @extend_schema(summary="One run", responses=RunAnswerSerializer)
    def get(self, request: Request, project: str, run: str) -> Response:
        return Response({"run": RunSerializer(self.run_of(request, project, run)).data})


class RunCancelView(RunDoor):
    scope = "run"

    @extend_schema(
        summary="Stop a run; what it has said stays", request=None, responses=RunAnswerSerializer
    )
    def post(self, request: Request, project: str, run: str) -> Response:
        cancelled = services.cancel_run(self.run_of(request, project, run))
        return Response({"run": RunSerializer(cancelled).data})


class RunResumeView(RunDoor):
    scope = "run"
    throttle_scope = "messages"

    @extend_schema(
        summary="Work again on what failed or was cancelled, as a new run",
        request=None,
        responses={201: RunAnswerSerializer},
    )
    def post(self, request: Request, project: str, run: str) -> Response:
        resumed = services.resume_run(self.run_of(request, project, run))
        return Response({"run": RunSerializer(resumed).data}, status=201)


class RunEventsView(RunDoor):
    scope = "read"

    @extend_schema(
        summary="The steps of a run as a list",
        parameters=[OpenApiParameter("since", str, description="An event's id, or 0")],
        responses=StepSerializer(many=True),
    )
    def get(self, request: Request, project: str, run: str) -> Response:
        found = self.run_of(request, project, run)
        told = events_of(found, request.query_params.get("since"), limit=MOST_EVENTS)
        return Response([wire.step_shape(event) for event in told])


class CommandCenterView(APIView):
    """One question, and in the same answer the steps of the reply (SSE)."""

    scope = "run"
    throttle_scope = "messages"

    @extend_schema(
        summary="Ask, and follow the answer at once (SSE)",
        request=CommandSerializer,
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    def post(self, request: Request) -> HttpResponseBase:
        wanted = checked(CommandSerializer, request)
        roster.agent_named(wanted["agentId"])
        chat = self._chat(request, wanted)
        run = services.ask(chat, content=wanted["message"], agent_id=wanted["agentId"])
        answer = sse_response(
            request._request,
            topic=run.topic,
            render=wire.command_center_frame,
            begin=0,
            is_greeted=False,
        )
        answer["X-Conversation-Id"] = chat.conversation.public_id
        return answer

    def _chat(self, request: Request, wanted: dict[str, str]) -> Chat:
        caller = caller_of(request)
        if wanted.get("conversationId"):
            return chat_for(caller, wanted["conversationId"])
        project = project_for(caller, request.query_params.get("project"))
        person = services.person_named(project, caller.user.get_username() or NAMELESS)
        title = services.title_of(wanted["message"]) or NEW_CHAT
        return services.open_chat(person, title=title, agent_id=wanted["agentId"])
