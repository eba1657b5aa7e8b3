"""The doors of a preview: as it is, how good it is, and for as long as one likes."""

import json
from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of, project_for, within_token
from conversations.models import Project
from streaming import replay
from streaming.events import Event, Filter, id_without_event, iso, made_once
from streaming.sse import sse_response
from workflows.access import workflow_run_for
from workflows.models import WorkflowRun
from workflows.preview import sections
from workflows.preview.events import SECTION_UPDATED, section_shape
from workflows.quality import recording

RUN = OpenApiParameter("run", str, description="The run that wrote it; else the latest")
OF_SECTIONS = Filter(kinds=frozenset({SECTION_UPDATED}))


class SectionSerializer(serializers.Serializer[Any]):
    sectionId = serializers.CharField()
    runId = serializers.CharField(allow_null=True)
    title = serializers.CharField()
    kind = serializers.CharField(help_text="hero, features, about, contact, faq, other")
    updates = serializers.DictField(help_text="headline, subheadline, body, cta")
    complete = serializers.BooleanField()
    updatedAt = serializers.DateTimeField()


class PreviewSerializer(serializers.Serializer[Any]):
    runId = serializers.CharField(allow_null=True)
    items = SectionSerializer(many=True)
    lastEventId = serializers.CharField(help_text="From where to follow the preview's stream")


class ScoreSerializer(serializers.Serializer[Any]):
    measure = serializers.CharField()
    name = serializers.CharField(required=False)
    value = serializers.FloatField()
    weight = serializers.FloatField(required=False, help_text="Its share of the total")
    why = serializers.CharField(required=False)
    detail = serializers.DictField(required=False)


class QualitySerializer(serializers.Serializer[Any]):
    runId = serializers.CharField(allow_null=True)
    sectionId = serializers.CharField(allow_null=True, help_text="Null of the whole page")
    total = serializers.FloatField(allow_null=True)
    scores = ScoreSerializer(many=True)
    measuredAt = serializers.DateTimeField()


class QualitiesSerializer(serializers.Serializer[Any]):
    runId = serializers.CharField(allow_null=True)
    items = QualitySerializer(many=True)


class PreviewDoor(APIView):
    scope = "read"

    def project_of(self, request: Request, name: str) -> Project:
        return project_for(caller_of(request), name)

    def run_of(self, request: Request, project: Project) -> WorkflowRun | None:
        """The run that the request names. Raises WorkflowRunNotFound."""
        named = request.query_params.get("run")
        return workflow_run_for(caller_of(request), named, project=project) if named else None


class PreviewView(PreviewDoor):
    @extend_schema(
        summary="The sections that were laid out last, as far as they are written",
        parameters=[RUN],
        responses=PreviewSerializer,
    )
    def get(self, request: Request, project: str) -> Response:
        found = self.project_of(request, project)
        run = self.run_of(request, found)
        # Read first: what comes in between is told again, and nothing is missed.
        last = id_without_event(replay.last_number(found.topic))
        shown = sections.of_run(run) if run else sections.newest_of(found)
        shapes = [section_shape(section) for section in shown]
        run_id = run.wire_id if run else shapes[0]["runId"] if shapes else None
        return Response({"runId": run_id, "items": shapes, "lastEventId": last})


class QualityView(PreviewDoor):
    @extend_schema(
        summary="The latest scores: of the whole first, then of its sections",
        parameters=[RUN],
        responses=QualitiesSerializer,
    )
    def get(self, request: Request, project: str) -> Response:
        found = self.project_of(request, project)
        run = self.run_of(request, found) or recording.newest_run_of(found)
        items = recording.scores_of(found, run)
        return Response({"runId": run.wire_id if run else None, "items": items})


class PreviewStreamView(PreviewDoor):
    takes_token = True
    throttle_scope = "streams"
    # A HEAD would follow the stream and show nobody.
    http_method_names = ("get", "options")

    @extend_schema(
        summary="Follow what is written (SSE)",
        parameters=[
            OpenApiParameter("since", str, description="An event's id, or 0"),
            OpenApiParameter("token", str, description="A stream token"),
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    def get(self, request: Request, project: str) -> HttpResponseBase:
        topic = within_token(caller_of(request), self.project_of(request, project).topic)
        return sse_response(
            request._request,
            topic=topic,
            render=section_frame,
            only=OF_SECTIONS,
            is_greeted=False,
        )


@made_once
def section_frame(event: Event) -> bytes:
    """An unnamed SSE frame: the section, and once more by itself for those who know it as that."""
    section: dict[str, Any] = json.loads(event.payload)["section"]
    head = {"type": event.kind, "timestamp": iso(event.occurred_at)}
    data = {**head, "id": section["sectionId"], **section, "section": section}
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {event.id}\ndata: {written}\n\n".encode()
