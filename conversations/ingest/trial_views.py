"""The door of the connection doctor: one click sends an event through everything."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of, project_for
from conversations.ingest.trial import send_test_event
from streaming.events import iso


class TrialSerializer(serializers.Serializer[Any]):
    testId = serializers.CharField(help_text="What the frame has in its data")
    receivedAt = serializers.DateTimeField()
    storedAt = serializers.DateTimeField(allow_null=True, help_text="Null where it was not")
    rungAt = serializers.DateTimeField(allow_null=True, help_text="Null where none was heard")
    answeredAt = serializers.DateTimeField()


class TrialView(APIView):
    scope = "ingest"
    throttle_scope = "ingest"

    @extend_schema(
        summary="Send a test event through the record, and say when it passed each station",
        request=None,
        responses=TrialSerializer,
    )
    def post(self, request: Request, project: str) -> Response:
        trial = send_test_event(project_for(caller_of(request), project))
        return Response(
            {
                "testId": trial.test_id,
                "receivedAt": iso(trial.received_at),
                "storedAt": iso(trial.stored_at) if trial.stored_at else None,
                "rungAt": iso(trial.rung_at) if trial.rung_at else None,
                "answeredAt": iso(timezone.now()),
            }
        )
