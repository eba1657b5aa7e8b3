"""The members of a project: who they are, letting somebody in, letting somebody go."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of, project_for, project_to_govern, user_named
from conversations.api.lists import PAGING, list_of, numbered
from conversations.models import Membership
from conversations.services import remove_member, set_member


class MemberSerializer(serializers.Serializer[Membership]):
    username = serializers.CharField(read_only=True)
    role = serializers.ChoiceField(choices=Membership.Role.choices)

    def to_representation(self, instance: Membership) -> dict[str, Any]:
        return {"username": instance.user.get_username(), "role": instance.role}


class MembersView(APIView):
    scope = "read"

    @extend_schema(
        operation_id="api_projects_members_list",
        summary="The members of a project",
        parameters=PAGING,
        responses=list_of(MemberSerializer),
    )
    def get(self, request: Request, project: str) -> Response:
        found = project_for(caller_of(request), project)
        members = Membership.objects.filter(project=found).select_related("user")
        return numbered(self, members.order_by("pk"), MemberSerializer)


class MemberView(APIView):
    scope = "write"

    @extend_schema(
        summary="Let a user in, or change what a member may",
        request=MemberSerializer,
        responses=MemberSerializer,
    )
    def put(self, request: Request, project: str, username: str) -> Response:
        found = project_to_govern(caller_of(request), project)
        wanted = MemberSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        member = set_member(found, user_named(username), role=wanted.validated_data["role"])
        return Response(MemberSerializer(member).data)

    @extend_schema(summary="Let a member go", responses={204: None})
    def delete(self, request: Request, project: str, username: str) -> Response:
        found = project_to_govern(caller_of(request), project)
        remove_member(found, user_named(username))
        return Response(status=204)
