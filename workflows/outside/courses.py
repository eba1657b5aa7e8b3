"""Workflows that are carried out elsewhere: their runs, the nodes of these, and what they make."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from agents.errors import RunIsOurs
from conversations.models import Project
from streaming.publish import publish
from workflows import events
from workflows.events import WorkflowEvent
from workflows.models import NodeState, WorkflowRun
from workflows.outside.schemas import NodeGiven, QualityGiven, SectionGiven, WorkflowGiven
from workflows.preview import sections
from workflows.preview.events import SECTION_UPDATED
from workflows.quality import recording

Status = WorkflowRun.Status
NAMELESS = "outside"


def take_run(project: Project, given: WorkflowGiven, *, at: datetime) -> list[str]:
    """Raises RunIsOurs."""
    run, _ = _run(project, given.id, name=given.workflow, at=at)
    said = {
        "workflow_name": given.workflow,
        "error": given.error,
        "input": given.input,
        "output": given.output,
        "started_at": given.started_at,
    }
    _set(run, said)
    _move(run, given, at=at)
    run.save()
    return _tell(run, [events.run_updated(run, run.nodes.filter(item=None))], at)


def take_node(project: Project, given: NodeGiven, *, at: datetime) -> list[str]:
    """Whatever comes first of a run opens it, and that is told, too. Raises RunIsOurs."""
    run, is_new = _run(project, given.run_id, name=given.workflow, at=at)
    opened = [events.run_updated(run, [])] if is_new else []
    state, _ = NodeState.objects.get_or_create(
        run=run,
        node_id=given.id,
        item=given.item,
        defaults={"position": run.nodes.count(), "title": given.id, "kind": given.kind or ""},
    )
    said = {
        "state": given.state,
        "kind": given.kind,
        "title": given.title,
        "attempt": given.attempt,
        "summary": None if given.summary is None else given.summary[:200],
        "error": given.error,
        "input": given.input,
        "output": given.output,
        "started_at": given.started_at,
        "finished_at": given.finished_at,
    }
    _set(state, said)
    if state.state == NodeState.State.RUNNING:
        state.started_at = state.started_at or at
    if state.is_finished:
        state.finished_at = state.finished_at or at
    state.save()
    return _tell(run, [*opened, events.node_updated(run, state)], at)


def take_quality(project: Project, given: QualityGiven, *, at: datetime) -> list[str]:
    """Raises RunIsOurs."""
    run, opened = _run_of(project, given.run_id, at=at)
    values = [score.value for score in given.scores]
    shape = {
        "sectionId": given.section_id,
        "total": sum(values) / len(values) if given.total is None else given.total,
        "scores": [score.model_dump(exclude_none=True) for score in given.scores],
    }
    recording.keep(project, shape, run=run, at=at)
    return [*opened, recording.QUALITY_UPDATED]


def take_section(project: Project, given: SectionGiven, *, at: datetime) -> list[str]:
    """Raises RunIsOurs."""
    run, opened = _run_of(project, given.run_id, at=at)
    sections.show(project, given.section_id, given.updates, is_complete=given.complete, run=run)
    return [*opened, SECTION_UPDATED]


def _run_of(
    project: Project, run_id: str | None, *, at: datetime
) -> tuple[WorkflowRun | None, list[str]]:
    if run_id is None:
        return None, []
    run, is_new = _run(project, run_id, name=None, at=at)
    return run, _tell(run, [events.run_updated(run, [])], at) if is_new else []


def _run(
    project: Project, run_id: str, *, name: str | None, at: datetime
) -> tuple[WorkflowRun, bool]:
    if WorkflowRun.objects.filter(project=project, public_id=run_id).exists():
        raise RunIsOurs
    run, is_new = WorkflowRun.objects.get_or_create(
        project=project,
        outside_id=run_id,
        defaults={
            "source": WorkflowRun.Source.OUTSIDE,
            "workflow_name": name or NAMELESS,
            "status": Status.RUNNING,
            "created_at": at,
        },
    )
    run.project = project
    return run, is_new


def _move(run: WorkflowRun, given: WorkflowGiven, *, at: datetime) -> None:
    """A run that has ended stays ended, whatever comes late."""
    status = Status(given.status) if given.status else run.status
    if run.is_finished and status in WorkflowRun.UNFINISHED:
        return
    run.status = status
    if status != Status.QUEUED:
        run.started_at = run.started_at or at
    if run.is_finished:
        run.finished_at = given.finished_at or run.finished_at or at


def _tell(run: WorkflowRun, told: list[WorkflowEvent], at: datetime) -> list[str]:
    for event in told:
        publish(replace(event, occurred_at=at), run.project.topic, run.topic)
    return [event.kind for event in told]


def _set(row: WorkflowRun | NodeState, said: dict[str, Any]) -> None:
    for name, value in said.items():
        if value is not None:
            setattr(row, name, value)
