"""Is it alive, is it ready, and how is it doing."""

import asyncio
from collections.abc import Callable

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.views import APIView

from agentpipe.jobs import Queue
from agentpipe.storage import Storage
from conversations.access import caller_of

LAYER_TIMEOUT_S = 2.0

REGISTRY.register(Queue())
REGISTRY.register(Storage())
logger = structlog.get_logger(__name__)


# Exempt, or a wrong method would be told of a form that has expired.
@csrf_exempt
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 where the database answers, its tables are up to date, and the channel layer takes."""
    checks = {name: _passes(name, check) for name, check in CHECKS.items()}
    is_ready = all(checks.values())
    return JsonResponse(
        {
            "status": "ok" if is_ready else "unavailable",
            "checks": {name: "ok" if passes else "failed" for name, passes in checks.items()},
            **({} if is_ready else {"error": "Not ready"}),
        },
        status=200 if is_ready else 503,
    )


class MetricsView(APIView):
    scope = "read"

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR}, summary="For Prometheus")
    def get(self, request: Request) -> HttpResponse:
        caller = caller_of(request)
        if caller.own_project is None and not caller.user.is_staff:
            raise PermissionDenied("The metrics are of all projects, and for staff")
        return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError("migrations are missing: run manage.py migrate")


def _channel_layer() -> None:
    async def ring() -> None:
        async with asyncio.timeout(LAYER_TIMEOUT_S):
            await get_channel_layer().group_send("readyz", {"type": "readyz"})

    async_to_sync(ring)()


CHECKS: dict[str, Callable[[], None]] = {
    "database": _database,
    "migrations": _migrations,
    "channel_layer": _channel_layer,
}


def _passes(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception as error:
        logger.warning("not_ready", check=name, reason=repr(error))
        return False
    return True
