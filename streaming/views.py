"""What this process does for its followers."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from streaming import stats


class RealtimeStatsView(APIView):
    scope = "read"

    @extend_schema(
        responses=OpenApiTypes.OBJECT, summary="Connections, lag and pace of this process"
    )
    def get(self, request: Request) -> Response:
        return Response(stats.snapshot())
