"""The figures of a project: how much was said, by whom, when, and for how much."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations import metrics
from conversations.access import caller_of, project_for
from conversations.models import Project
from conversations.shares import Share, shares_of
from streaming.events import iso

DEFAULT_RANGE = "7d"
Shape = dict[str, Any]


class MessageFigures(serializers.Serializer[Any]):
    messages = serializers.IntegerField()
    inputTokens = serializers.IntegerField()
    outputTokens = serializers.IntegerField()
    totalTokens = serializers.IntegerField()
    cost = serializers.FloatField()
    duration = serializers.IntegerField(help_text="Milliseconds")


class AllFigures(MessageFigures):
    conversations = serializers.IntegerField()


class ByDay(AllFigures):
    day = serializers.DateField()


class ByHour(AllFigures):
    hour = serializers.DateTimeField()


class BySource(AllFigures):
    source = serializers.CharField()  # type: ignore[assignment]  # also an option of a Field


class ByAgentType(MessageFigures):
    agentType = serializers.CharField()


class ByModel(MessageFigures):
    model = serializers.CharField(allow_null=True)


class OverTime(serializers.Serializer[Any]):
    cost = serializers.ListField(child=serializers.FloatField())
    totalTokens = serializers.ListField(child=serializers.IntegerField())


class AgentTypeOverTime(OverTime):
    agentType = serializers.CharField()


class ModelOverTime(OverTime):
    model = serializers.CharField(allow_null=True)


class SummarySerializer(serializers.Serializer[Any]):
    range = serializers.ChoiceField(list(metrics.RANGES))
    totals = AllFigures()
    byStatus = serializers.DictField(child=serializers.IntegerField())
    activeNow = serializers.IntegerField()
    byDay = ByDay(many=True, required=False)
    byHour = ByHour(many=True, required=False, help_text="For 24h, in place of byDay")
    bySource = BySource(many=True)
    byAgentType = ByAgentType(many=True)
    byModel = ByModel(many=True)
    agentTypesOverTime = AgentTypeOverTime(
        many=True, help_text="Of those used most, an amount for each of byDay or byHour"
    )
    modelsOverTime = ModelOverTime(many=True, help_text="The same of models")


class MetricsSummaryView(APIView):
    scope = "read"

    @extend_schema(
        summary="Conversations, messages, tokens, cost and duration of a range",
        parameters=[
            OpenApiParameter(
                "range", str, enum=list(metrics.RANGES), description=f"{DEFAULT_RANGE} unless told"
            ),
            OpenApiParameter("project", str, description="For people with several projects"),
        ],
        responses=SummarySerializer,
    )
    def get(self, request: Request) -> Response:
        reach = request.query_params.get("range", DEFAULT_RANGE)
        if reach not in metrics.RANGES:
            raise ValidationError({"range": f"Expected one of {', '.join(metrics.RANGES)}"})
        project = project_for(caller_of(request), request.query_params.get("project"))
        found = metrics.summary(project, reach=reach, now=timezone.now())
        return Response({"range": reach, **_shape(found), **_over_time(project, found)})


def _shape(found: metrics.Summary) -> Shape:
    return {
        "totals": _all(found.totals),
        "byStatus": found.by_status,
        "activeNow": found.active_now,
        **_series(found),
        "bySource": [{"source": name, **_all(part)} for name, part in found.by_source.items()],
        "byAgentType": [
            {"agentType": name, **_of_messages(part)} for name, part in found.by_agent_type.items()
        ],
        "byModel": [
            {"model": name or None, **_of_messages(part)} for name, part in found.by_model.items()
        ],
    }


def _series(found: metrics.Summary) -> Shape:
    if found.unit == "hour":
        return {
            "byHour": [{"hour": iso(slot), **_all(part)} for slot, part in found.by_slot.items()]
        }
    return {
        "byDay": [
            {"day": slot.date().isoformat(), **_all(part)} for slot, part in found.by_slot.items()
        ]
    }


def _over_time(project: Project, found: metrics.Summary) -> Shape:
    return {
        "agentTypesOverTime": [
            {"agentType": share.name, **_amounts(share)}
            for share in shares_of(project, found, by="agent_type")
        ],
        "modelsOverTime": [
            {"model": share.name or None, **_amounts(share)}
            for share in shares_of(project, found, by="model")
        ],
    }


def _amounts(share: Share) -> Shape:
    return {"cost": [float(cost) for cost in share.cost], "totalTokens": share.total_tokens}


def _all(part: metrics.Figures) -> Shape:
    return {"conversations": part.conversations, **_of_messages(part)}


def _of_messages(part: metrics.Figures) -> Shape:
    return {
        "messages": part.messages,
        "inputTokens": part.input_tokens,
        "outputTokens": part.output_tokens,
        "totalTokens": part.total_tokens,
        "cost": float(part.cost),
        "duration": part.duration_ms,
    }
