"""Workflows and their runs as JSON."""

from collections import defaultdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from workflows import events
from workflows.models import NodeState, Workflow, WorkflowRun

Shape = dict[str, Any]

MOST_COMMENTED = 10_000


class InputSerializer(serializers.Serializer[Any]):
    input = serializers.DictField(default=dict)


class RerunSerializer(serializers.Serializer[Any]):
    node = serializers.CharField(max_length=200)


class DecisionSerializer(serializers.Serializer[Any]):
    comment = serializers.CharField(
        max_length=MOST_COMMENTED, default="", allow_blank=True, trim_whitespace=False
    )


class WorkflowSerializer(serializers.Serializer[Workflow]):
    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    version = serializers.IntegerField()
    isShipped = serializers.BooleanField(help_text="It comes with the server")
    createdAt = serializers.DateTimeField(allow_null=True)
    updatedAt = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Workflow) -> Shape:
        return events.workflow_shape(instance, is_shipped=instance.pk is None)


class WholeWorkflowSerializer(WorkflowSerializer):
    definition = serializers.DictField()

    def to_representation(self, instance: Workflow) -> Shape:
        return {**super().to_representation(instance), "definition": instance.definition}


class WorkflowAnswerSerializer(serializers.Serializer[Any]):
    workflow = WholeWorkflowSerializer()


class NodeSerializer(serializers.Serializer[NodeState]):
    id = serializers.CharField()
    item = serializers.IntegerField(allow_null=True)
    kind = serializers.CharField(allow_null=True)
    title = serializers.CharField()
    state = serializers.ChoiceField(NodeState.State.choices)
    attempt = serializers.IntegerField()
    summary = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    agentRunId = serializers.CharField(allow_null=True)
    dueAt = serializers.DateTimeField(allow_null=True)
    startedAt = serializers.DateTimeField(allow_null=True)
    finishedAt = serializers.DateTimeField(allow_null=True)
    durationMs = serializers.IntegerField(allow_null=True)
    input = serializers.JSONField(allow_null=True)
    output = serializers.JSONField(allow_null=True)
    items = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="Of a map: nodes as this one"
    )


class WorkflowRunSerializer(serializers.Serializer[WorkflowRun]):
    id = serializers.CharField()
    projectId = serializers.CharField()
    workflow = serializers.CharField()
    source = serializers.ChoiceField(WorkflowRun.Source.choices)  # type: ignore[assignment]
    status = serializers.ChoiceField(WorkflowRun.Status.choices)
    error = serializers.CharField(allow_null=True)
    startedBy = serializers.CharField(allow_null=True)
    createdAt = serializers.DateTimeField()
    startedAt = serializers.DateTimeField(allow_null=True)
    finishedAt = serializers.DateTimeField(allow_null=True)
    durationMs = serializers.IntegerField(allow_null=True)
    done = serializers.IntegerField()
    total = serializers.IntegerField()

    def to_representation(self, instance: WorkflowRun) -> Shape:
        nodes = [node for node in instance.nodes.all() if node.item is None]
        return {**events.run_shape(instance), **events.counted(nodes)}


class WholeWorkflowRunSerializer(WorkflowRunSerializer):
    input = serializers.DictField()
    output = serializers.JSONField(allow_null=True)
    nodes = serializers.SerializerMethodField()

    @extend_schema_field(NodeSerializer(many=True))
    def get_nodes(self, run: WorkflowRun) -> list[Shape]:
        states = list(run.nodes.select_related("agent_run"))
        items: dict[str, list[NodeState]] = defaultdict(list)
        for state in states:
            if state.item is not None:
                items[state.node_id].append(state)
        nodes = [state for state in states if state.item is None]
        return [events.whole_node_shape(node, items[node.node_id]) for node in nodes]

    def to_representation(self, instance: WorkflowRun) -> Shape:
        return {
            **super().to_representation(instance),
            "input": instance.input,
            "output": instance.output,
            "nodes": self.get_nodes(instance),
        }


class WorkflowRunAnswerSerializer(serializers.Serializer[Any]):
    run = WholeWorkflowRunSerializer()
