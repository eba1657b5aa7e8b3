"""The doors through which events come in, one at a time or many."""

from typing import ClassVar

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of
from conversations.errors import BodyTooLarge
from conversations.ingest.batches import read_batch, receive_batch
from conversations.ingest.dispatch import is_snake
from conversations.ingest.reading import InvalidJSON, read_json
from conversations.ingest.receive import receive

JSON = "application/json"
NDJSON = "application/x-ndjson"


class IngestDoor(APIView):
    """What both doors share: the order of the checks before anything is read."""

    scope = "ingest"
    wants_key = True
    throttle_scope = "ingest"
    # How much a request counts for is known once its body has been read.
    throttle_when_read = True
    media_types: ClassVar[tuple[str, ...]] = (JSON,)

    def body_of(self, request: Request) -> bytes:
        if media_type_of(request) not in self.media_types:
            raise UnsupportedMediaType(request.content_type or "none")
        if encoding := request.headers.get("Content-Encoding"):
            raise UnsupportedMediaType(encoding, f'Unsupported content encoding "{encoding}".')
        body: bytes = request._request.body
        if len(body) > settings.BODY_LIMITS.get(request.path, settings.BODY_LIMIT):
            raise BodyTooLarge
        return body

    def spend(self, request: Request, rate: str) -> None:
        self.throttle_scope = rate
        self.throttle_when_read = False
        self.check_throttles(request)


class IngestView(IngestDoor):
    @extend_schema(
        summary="Record one event, of either dialect",
        request=OpenApiTypes.OBJECT,
        responses={(200, JSON): OpenApiTypes.OBJECT, (201, JSON): OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        body = self.body_of(request)
        try:
            event = read_json(body)
        except InvalidJSON:
            self.spend(request, "ingest")
            raise
        self.spend(request, "bridge" if is_snake(event) else "ingest")
        answer = receive(
            [event],
            project=caller_of(request).project,
            idempotency_keys=[request.headers.get("Idempotency-Key")],
        )[0]
        return Response(answer.body, status=answer.status)


class IngestBatchView(IngestDoor):
    media_types = (JSON, NDJSON)

    @extend_schema(
        summary="Record up to 1,000 events, in order",
        request={JSON: OpenApiTypes.OBJECT, NDJSON: OpenApiTypes.STR},
        responses=OpenApiTypes.OBJECT,
    )
    def post(self, request: Request) -> Response:
        body = self.body_of(request)
        self.spend(request, "ingest")
        events = read_batch(body, is_lines=media_type_of(request) == NDJSON)
        return Response(
            receive_batch(
                events,
                project=caller_of(request).project,
                key=request.headers.get("Idempotency-Key"),
            )
        )


def media_type_of(request: Request) -> str:
    return (request.content_type or "").partition(";")[0].strip().lower()
