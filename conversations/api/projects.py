"""Projects: which there are, making one, and how long it keeps what it records."""

from typing import Any

from django.db import IntegrityError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of, project_for, project_to_govern, projects_of, reading_or
from conversations.api.lists import PAGING, list_of, numbered
from conversations.models import LONGEST_RETENTION_DAYS, Project
from conversations.services import edit_project, make_project
from streaming.events import iso


class ProjectSerializer(serializers.Serializer[Project]):
    id = serializers.SlugField(max_length=100)
    name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    retentionDays = serializers.IntegerField(
        min_value=1,
        max_value=LONGEST_RETENTION_DAYS,
        required=False,
        allow_null=True,
        help_text="Conversations go so many days after they were last touched; null: never",
    )
    createdAt = serializers.DateTimeField(read_only=True)

    def to_representation(self, instance: Project) -> dict[str, Any]:
        return {
            "id": instance.slug,
            "name": instance.name or instance.slug,
            "retentionDays": instance.retention_days,
            "createdAt": iso(instance.created_at),
        }


class ProjectsView(APIView):
    scope = reading_or("write")

    @extend_schema(
        operation_id="api_projects_list",
        summary="The projects that you see",
        parameters=PAGING,
        responses=list_of(ProjectSerializer),
    )
    def get(self, request: Request) -> Response:
        return numbered(self, projects_of(caller_of(request)).order_by("pk"), ProjectSerializer)

    @extend_schema(
        summary="Make a project, and own it", request=ProjectSerializer, responses=ProjectSerializer
    )
    def post(self, request: Request) -> Response:
        user = caller_of(request).user
        if user.is_anonymous:
            raise PermissionDenied("Sign in to make a project: a key opens the one it is of")
        wanted = ProjectSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        try:
            project = make_project(
                given["id"],
                owner=user,
                name=given.get("name", ""),
                retention_days=given.get("retentionDays"),
            )
        except IntegrityError as error:
            raise ValidationError({"id": "There is a project of this name"}) from error
        return Response(ProjectSerializer(project).data, status=201)


class ProjectView(APIView):
    scope = reading_or("write")

    @extend_schema(summary="One project", responses=ProjectSerializer)
    def get(self, request: Request, project: str) -> Response:
        return Response(ProjectSerializer(project_for(caller_of(request), project)).data)

    @extend_schema(
        summary="Change its name, or how long it keeps conversations",
        request=ProjectSerializer(partial=True),
        responses=ProjectSerializer,
    )
    def patch(self, request: Request, project: str) -> Response:
        found = project_to_govern(caller_of(request), project)
        wanted = ProjectSerializer(data=request.data, partial=True)
        wanted.is_valid(raise_exception=True)
        if "id" in wanted.validated_data:
            raise ValidationError({"id": "Its id is for good: addresses hold it"})
        changed = edit_project(
            found,
            name=wanted.validated_data.get("name", found.name),
            retention_days=wanted.validated_data.get("retentionDays", found.retention_days),
        )
        return Response(ProjectSerializer(changed).data)
