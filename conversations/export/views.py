"""The doors by which conversations leave."""

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from conversations.access import caller_of, conversation_for, project_for
from conversations.export.archive import archive
from conversations.export.download import download
from conversations.export.formats import FORMATS
from conversations.export.names import file_name
from conversations.export.reading import latest

NAMES = ", ".join(FORMATS)


class ConversationExportView(APIView):
    scope = "read"

    @extend_schema(
        summary="One conversation as a file",
        parameters=[OpenApiParameter("format", str, enum=list(FORMATS), description="json")],
        responses={
            (200, form.content_type.partition(";")[0]): OpenApiTypes.STR
            for form in FORMATS.values()
        },
    )
    def get(self, request: Request, conversation: str) -> HttpResponseBase:
        found = conversation_for(caller_of(request), conversation)
        wanted = request.query_params.get("format", "json")
        if wanted not in FORMATS:
            raise ValidationError({"format": f"Expected one of {NAMES}"})
        form = FORMATS[wanted]
        return download(
            request,
            form.write(found, until=latest()),
            name=file_name(found, form.suffix),
            content_type=form.content_type,
        )


class ProjectExportView(APIView):
    scope = "read"

    @extend_schema(
        summary="All conversations of a project, in a zip file",
        parameters=[
            OpenApiParameter("format", str, description=f"Any of {NAMES}, with commas between")
        ],
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, project: str) -> HttpResponseBase:
        found = project_for(caller_of(request), project)
        wanted = list(dict.fromkeys(request.query_params.get("format", "json").split(",")))
        if not FORMATS.keys() >= set(wanted):
            raise ValidationError({"format": f"Expected any of {NAMES}, with commas between"})
        return download(
            request,
            archive(found.conversations.all(), formats=wanted),
            name=f"{found.slug}.zip",
            content_type="application/zip",
        )
