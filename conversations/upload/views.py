"""The door for whole sessions."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.access import caller_of
from conversations.changes import Delivery
from conversations.ingest.dispatch import Answer, Read, fingerprint_of
from conversations.ingest.reading import InvalidJSON, read_json
from conversations.ingest.receive import record_alone
from conversations.ingest.views import JSON, IngestDoor
from conversations.upload.schemas import SessionUpload, read_session


class SessionUploadView(IngestDoor):
    @extend_schema(
        summary="Upload a whole session",
        request=OpenApiTypes.OBJECT,
        responses={(201, JSON): OpenApiTypes.OBJECT, (409, JSON): OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        body = self.body_of(request)
        with _without_collections():
            answer = self._take(request, body)
        return Response(answer.body, status=answer.status)

    def _take(self, request: Request, body: bytes) -> Answer:
        try:
            given = read_json(body)
        except InvalidJSON:
            self.spend(request, "upload")
            raise
        self.spend(request, "upload")
        session = read_session(given)
        if isinstance(session, SessionUpload):
            return _record(request, session, given)
        return session


@contextmanager
def _without_collections() -> Iterator[None]:
    """Let Python not look for garbage among ten thousand messages that are all in use.

    Of uploads at the same time, the first that is done lets it look again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _record(request: Request, session: SessionUpload, given: object) -> Answer:
    key = request.headers.get("Idempotency-Key")
    delivery = Delivery(
        change=session.change(),
        key=fingerprint_of("key", key) if key else None,
        fingerprint=fingerprint_of("session", given) if key else b"",
        refuses_reused_key=True,
    )
    outcome = record_alone(caller_of(request).project, delivery)
    if isinstance(outcome, Answer):
        return outcome
    return Read(delivery=delivery, model=session).answer(outcome)
