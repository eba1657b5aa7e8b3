"""The doors of progress: how far the agents of a project are, once or for as long as one likes."""

from datetime import UTC, datetime
from typing import Any

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import ValidationError
from pydantic_core import PydanticCustomError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents import history, progress, wire
from agents.events import AGENT_STREAM
from agents.schemas import LONGEST_ID, ProgressGiven
from agents.serializers import (
    ProgressGivenSerializer,
    ProgressHistorySerializer,
    ProgressSerializer,
    ProjectProgressSerializer,
)
from conversations.access import caller_of, counted, project_for, reading_or, within_token
from conversations.ingest.dispatch import Fault, detail, refusal
from conversations.ingest.types import parse_time
from streaming.events import Filter
from streaming.sse import sse_response

AGENT_IDS = OpenApiParameter("agentIds", str, description="Of these agents only: a,b")


class ProjectProgressView(APIView):
    scope = "read"

    @extend_schema(
        summary="How far the agents of a project are, and when they will have done",
        responses=ProjectProgressSerializer,
    )
    def get(self, request: Request, project: str) -> Response:
        return Response(progress.of_project(project_for(caller_of(request), project)))


class AgentProgressView(APIView):
    scope = reading_or("ingest")
    throttle_scope = counted("events", on="PUT")

    @extend_schema(summary="How far an agent is", responses=ProgressSerializer)
    def get(self, request: Request, project: str, agent: str) -> Response:
        return Response(progress.of_agent(project_for(caller_of(request), project), agent))

    @extend_schema(
        summary="Say how far an agent outside is: any of the fields, the others stay",
        request=ProgressGivenSerializer,
        responses=ProgressSerializer,
    )
    def put(self, request: Request, project: str, agent: str) -> Response:
        found = project_for(caller_of(request), project)
        try:
            given = ProgressGiven.model_validate(request.data)
        except ValidationError as error:
            return _refused([detail(fault) for fault in error.errors(include_url=False)])
        if given.agent_id not in {None, agent}:
            return _refused([(["agentId"], "Expected the agent of the address", "custom")])
        if len(agent) > LONGEST_ID or "\0" in agent:
            message = f"Expected at most {LONGEST_ID} characters"
            return _refused([(["agentId"], message, "too_big")])
        return Response(progress.put(found, given.report(found, agent, at=timezone.now())))


class ProgressHistoryView(APIView):
    scope = "read"

    @extend_schema(
        summary="How far agents were, for charts",
        parameters=[
            OpenApiParameter("since", str, description="A time, or milliseconds of one; 0 for all"),
            AGENT_IDS,
        ],
        responses=ProgressHistorySerializer,
    )
    def get(self, request: Request, project: str) -> Response:
        found = project_for(caller_of(request), project)
        try:
            moment = _moment(request.query_params.get("since", ""))
        except PydanticCustomError as error:
            return _refused([(["since"], error.message(), "invalid_string")])
        return Response(history.since(found, moment, agent_ids=_agent_ids(request)))


class FollowAgents(APIView):
    scope = "read"
    takes_token = True
    throttle_scope = "streams"
    # A HEAD would follow the stream and show nobody.
    http_method_names = ("get", "options")

    def follow(self, request: Request, project: str | None) -> HttpResponseBase:
        caller = caller_of(request)
        return sse_response(
            request._request,
            topic=within_token(caller, project_for(caller, project).topic),
            render=wire.agent_frame,
            only=Filter(families=AGENT_STREAM, subjects=frozenset(_agent_ids(request))),
            is_named=True,
        )


FOLLOWING: dict[str, Any] = {
    "parameters": [
        AGENT_IDS,
        OpenApiParameter("since", str, description="An event's id, or 0"),
        OpenApiParameter("token", str, description="A stream token"),
    ],
    "responses": {(200, "text/event-stream"): OpenApiTypes.STR},
}


class AgentsStreamView(FollowAgents):
    @extend_schema(summary="Follow the agents of a project (SSE)", **FOLLOWING)
    def get(self, request: Request, project: str) -> HttpResponseBase:
        return self.follow(request, project)


class AgentStreamView(FollowAgents):
    @extend_schema(
        summary="Follow the agents of a project that is named in the query (SSE)",
        parameters=[OpenApiParameter("projectId", str), *FOLLOWING["parameters"]],
        responses=FOLLOWING["responses"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        return self.follow(request, request.query_params.get("projectId"))


def _agent_ids(request: Request) -> list[str]:
    named = request.query_params.get("agentIds", "").split(",")
    return [name for name in named if name and "\0" not in name]


def _moment(since: str) -> datetime | None:
    if since in {"", "0"}:
        return None
    if since.isascii() and since.isdigit():
        try:
            return datetime.fromtimestamp(int(since) / 1000, UTC)
        except (ValueError, OverflowError, OSError) as error:
            message = "There is no such date and time"
            raise PydanticCustomError("invalid_time", message) from error
    # A plus in an address is a space.
    return parse_time(since.replace(" ", "+") if "T" in since else since)


def _refused(faults: list[Fault]) -> Response:
    answer = refusal(faults)
    return Response(answer.body, status=answer.status)
