"""The doors of imports: a file comes in, and what becomes of it is shown."""

from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from conversations.access import caller_of, counted, job_for, project_for
from conversations.errors import BodyTooLarge
from conversations.events import job_shape
from conversations.ingest.views import JSON, NDJSON, media_type_of
from conversations.models import IngestJob
from conversations.upload import jobs

MULTIPART = "multipart/form-data"
RAW = {
    JSON,
    NDJSON,
    "application/gzip",
    "application/jsonl",
    "application/octet-stream",
    "application/x-gzip",
    "text/plain",
}


class Unread(BaseParser):
    """Leaves a body to the view: it may be larger than memory."""

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return {}


class JobDoor(APIView):
    def get_parsers(self) -> list[BaseParser]:
        return [MultiPartParser(), *map(Unread, RAW)]

    @property
    def scope(self) -> str:
        return "ingest" if self.request.method == "POST" else "read"


class JobsView(JobDoor):
    throttle_when_read = True

    throttle_scope = counted("upload", on="POST")

    @extend_schema(
        operation_id="api_projects_ingest_jobs_list",
        summary="Imports, newest first",
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, project: str) -> Response:
        found = project_for(caller_of(request), project)
        newest = found.ingest_jobs.select_related("project").order_by("-id")
        pagination: Any = api_settings.DEFAULT_PAGINATION_CLASS
        pages = pagination()
        shown = [job_shape(job) for job in pages.paginate_queryset(newest, request, view=self)]
        answer: Response = pages.get_paginated_response(shown)
        return answer

    @extend_schema(
        summary="Import a file: sessions, saved states, or a log of events",
        request={
            MULTIPART: {"type": "object", "properties": {"file": {"format": "binary"}}},
            JSON: OpenApiTypes.OBJECT,
            NDJSON: OpenApiTypes.STR,
        },
        responses={(202, JSON): OpenApiTypes.OBJECT},
    )
    def post(self, request: Request, project: str) -> Response:
        found = project_for(caller_of(request), project)
        media_type = media_type_of(request)
        encoding = request.headers.get("Content-Encoding", "identity").lower()
        if media_type not in {*RAW, MULTIPART}:
            raise UnsupportedMediaType(request.content_type or "none")
        if encoding not in {"identity", "gzip"}:
            raise UnsupportedMediaType(encoding, f'Unsupported content encoding "{encoding}".')
        check_length(request)
        self.throttle_when_read = False
        self.check_throttles(request)
        if media_type == MULTIPART:
            file = request.FILES.get("file")
            if file is None:
                raise ValidationError({"file": "Required"})
            file_name, read = file.name or "", file.read
        else:
            file_name, read = "", request._request.read
        key = request.headers.get("Idempotency-Key")
        job = jobs.open_import(found, file_name=file_name, read=read, idempotency_key=key)
        return Response({"job": job_shape(job)}, status=202)


class JobView(JobDoor):
    @extend_schema(summary="One import", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, project: str, job: str) -> Response:
        return Response({"job": job_shape(_job(request, project, job))})


class JobCancelView(JobDoor):
    @extend_schema(summary="Stop an import", request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, project: str, job: str) -> Response:
        cancelled = jobs.cancel(_job(request, project, job))
        return Response({"job": job_shape(cancelled)})


def _job(request: Request, project: str, job: str) -> IngestJob:
    caller = caller_of(request)
    return job_for(caller, job, project=project_for(caller, project))


def check_length(request: Request) -> None:
    """Raises BodyTooLarge: what is larger has not been passed on whole, and no form is found."""
    given = request.headers.get("Content-Length", "")
    if given.isascii() and given.isdigit() and int(given) > settings.IMPORT_LIMIT:
        raise BodyTooLarge
