"""The door for events of other frameworks."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of, project_for
from workflows.outside.reading import FAMILIES, read_events
from workflows.outside.taking import take


class ToldSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    type = serializers.ChoiceField(list(FAMILIES))


class TakenSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    events = ToldSerializer(many=True)


class EventsView(APIView):
    scope = "ingest"
    throttle_scope = "events"

    @extend_schema(
        summary="Tell of agents, workflows, pages and quality that are at work elsewhere",
        description="One event or an array of up to 1,000: all of them are taken, or none.",
        request=OpenApiTypes.OBJECT,
        responses={201: TakenSerializer},
    )
    def post(self, request: Request, project: str) -> Response:
        found = project_for(caller_of(request), project)
        # Before it is parsed, or it would be gone.
        body: bytes = request._request.body
        events = read_events(request.data)
        key = request.headers.get("Idempotency-Key")
        return Response(take(found, events, body=body, key=key), status=201)
