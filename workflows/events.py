"""The shapes in which workflows show themselves, and the events that tell of their runs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from streaming.events import iso

if TYPE_CHECKING:
    from workflows.models import NodeState, Workflow, WorkflowRun

Json = dict[str, Any]

WORKFLOW_KINDS = frozenset({"workflow.run.updated", "workflow.node_state.updated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowEvent:
    kind: str
    # The key of the family, and what stands under it.
    family: str
    shape: Json
    subject: str = ""
    occurred_at: datetime = field(default_factory=timezone.now)
    # A run that has ended may be resumed, and goes on where it told of its end.
    is_final: bool = field(default=False, init=False)

    def payload(self) -> Json:
        return {self.family: self.shape}


def run_updated(run: "WorkflowRun", states: Iterable["NodeState"]) -> WorkflowEvent:
    return WorkflowEvent(
        kind="workflow.run.updated",
        family="workflow",
        shape={**run_shape(run), **counted(states)},
    )


def node_updated(run: "WorkflowRun", state: "NodeState") -> WorkflowEvent:
    return WorkflowEvent(
        kind="workflow.node_state.updated",
        family="node",
        shape={"runId": run.wire_id, "workflow": run.workflow_name, **node_shape(state)},
    )


def workflow_shape(workflow: "Workflow", *, is_shipped: bool) -> Json:
    """Without its definition."""
    return {
        "name": workflow.name,
        "title": workflow.title or workflow.name,
        "description": workflow.description,
        "version": workflow.version,
        "isShipped": is_shipped,
        "createdAt": None if is_shipped else iso(workflow.created_at),
        "updatedAt": None if is_shipped else iso(workflow.updated_at),
    }


def run_shape(run: "WorkflowRun") -> Json:
    """Without its nodes, and without what it was given and has come to, which may be long."""
    return {
        "id": run.wire_id,
        "projectId": run.project.slug,
        "workflow": run.workflow_name,
        "source": run.source,
        "status": run.status,
        "error": run.error or None,
        "startedBy": run.started_by or None,
        "createdAt": iso(run.created_at),
        "startedAt": _iso(run.started_at),
        "finishedAt": _iso(run.finished_at),
        "durationMs": _ms(run.started_at, run.finished_at),
    }


def counted(states: Iterable["NodeState"]) -> Json:
    """How many of a run's nodes have ended, of how many."""
    listed = list(states)
    return {"done": sum(state.is_finished for state in listed), "total": len(listed)}


def node_shape(state: "NodeState") -> Json:
    """Without what it was given and has come to."""
    return {
        "id": state.node_id,
        "item": state.item,
        "kind": state.kind or None,
        "title": state.title or state.node_id,
        "state": state.state,
        "attempt": state.attempt,
        "summary": state.summary or None,
        "error": state.error or None,
        "agentRunId": state.agent_run.public_id if state.agent_run else None,
        "dueAt": _iso(state.due_at),
        "startedAt": _iso(state.started_at),
        "finishedAt": _iso(state.finished_at),
        "durationMs": _ms(state.started_at, state.finished_at),
    }


def whole_node_shape(state: "NodeState", items: Iterable["NodeState"] = ()) -> Json:
    shape = {**node_shape(state), "input": state.input, "output": state.output}
    listed = [whole_node_shape(item) for item in items]
    return {**shape, "items": listed} if listed else shape


def _iso(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def _ms(begun: datetime | None, ended: datetime | None) -> int | None:
    # A clock that was set back must not make it less than nothing.
    return max(0, round((ended - begun).total_seconds() * 1000)) if begun and ended else None
