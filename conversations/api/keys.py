"""The keys of a project: which there are, making one, revoking one."""

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of, check_scopes, project_for, project_to_govern, reading_or
from conversations.api.lists import PAGING, list_of, numbered
from conversations.models import ApiKey, Scope, all_scopes
from conversations.services import make_key, revoke_key
from streaming.events import iso


class KeySerializer(serializers.Serializer[ApiKey]):
    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(max_length=100)
    hint = serializers.CharField(read_only=True, help_text="How the key begins")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices),
        required=False,
        allow_empty=False,
        help_text="All of yours unless told",
    )
    rates = serializers.DictField(child=serializers.CharField(), read_only=True)
    createdAt = serializers.DateTimeField(read_only=True)
    lastUsedAt = serializers.DateTimeField(read_only=True, allow_null=True)
    revokedAt = serializers.DateTimeField(read_only=True, allow_null=True)

    def to_representation(self, instance: ApiKey) -> dict[str, Any]:
        return {
            "id": instance.pk,
            "name": instance.name,
            "hint": instance.hint,
            "scopes": instance.scopes,
            "rates": instance.rates,
            "createdAt": iso(instance.created_at),
            "lastUsedAt": iso(instance.last_used_at) if instance.last_used_at else None,
            "revokedAt": iso(instance.revoked_at) if instance.revoked_at else None,
        }


MADE = inline_serializer("MadeKey", {"key": KeySerializer(), "secret": serializers.CharField()})


class KeysView(APIView):
    scope = reading_or("write")

    @extend_schema(
        operation_id="api_projects_keys_list",
        summary="The keys of a project, newest first",
        parameters=PAGING,
        responses=list_of(KeySerializer),
    )
    def get(self, request: Request, project: str) -> Response:
        found = project_for(caller_of(request), project)
        return numbered(self, found.keys.order_by("-pk"), KeySerializer)

    @extend_schema(
        summary="Make a key; its secret is told this once",
        request=KeySerializer,
        responses={201: MADE},
    )
    def post(self, request: Request, project: str) -> Response:
        caller = caller_of(request)
        found = project_to_govern(caller, project)
        wanted = KeySerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        scopes = given.get("scopes") or [name for name in all_scopes() if name in caller.scopes]
        check_scopes(caller, scopes)
        # A key that is slowed down makes none that is not.
        key, secret = make_key(found, given["name"], scopes=scopes, rates=caller.rates)
        return Response({"key": KeySerializer(key).data, "secret": secret}, status=201)


class KeyView(APIView):
    scope = "write"

    @extend_schema(summary="Revoke a key, at once and for good", responses={204: None})
    def delete(self, request: Request, project: str, key: int) -> Response:
        revoke_key(project_to_govern(caller_of(request), project), key)
        return Response(status=204)
