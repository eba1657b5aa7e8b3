"""The API's own doors, and how its schema tells of keys."""

from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of
from conversations.tokens import LIFETIME, make_token
from streaming.events import iso


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "agentpipe.api.authentication.CallerAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class TokenRequest(serializers.Serializer[Any]):
    stream = serializers.CharField(max_length=300)


class StreamTokensView(APIView):
    scope = "read"

    @extend_schema(
        summary="A token for `?token=` on one stream's address",
        request=TokenRequest,
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        wanted = TokenRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        token = make_token(caller_of(request), wanted.validated_data["stream"])
        return Response({"token": token, "expiresAt": iso(timezone.now() + LIFETIME)}, status=201)
