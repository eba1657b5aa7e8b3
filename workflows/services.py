"""What people ask for: to save a workflow, to run it, to decide, to stop, and to try again."""

from collections.abc import Iterable
from contextlib import suppress

from django.db import IntegrityError
from django.utils import timezone

from agents import services as agents
from agents.errors import RunFinished
from agents.summaries import storable
from conversations.models import Project
from streaming.events import iso
from streaming.publish import publish, transactional
from workflows import catalog, events, queue
from workflows.checking import read_definition, read_input
from workflows.course import Course
from workflows.definition import ApprovalNode, Json
from workflows.errors import (
    NameTaken,
    NodeNotFound,
    NothingToResume,
    NotOurs,
    NotWaiting,
    Shipped,
    StillGoingOn,
    WorkflowNotFound,
    WorkflowRunFinished,
)
from workflows.models import NodeState, Workflow, WorkflowRun

State = NodeState.State


def save_new(project: Project, given: Json) -> Workflow:
    """Raises Invalid, NameTaken, Shipped."""
    workflow = _filled_in(Workflow(project=project), given)
    if workflow.name in catalog.shipped():
        raise Shipped
    try:
        _insert(workflow)
    except IntegrityError as error:
        raise NameTaken from error
    return workflow


@transactional
def _insert(workflow: Workflow) -> None:
    workflow.save(force_insert=True)


@transactional
def save_changed(workflow: Workflow, given: Json) -> Workflow:
    """Runs that have begun keep the definition they began with. Raises Invalid, NameTaken."""
    _check_ours(workflow)
    locked = Workflow.objects.select_for_update().filter(pk=workflow.pk).first()
    if locked is None:
        raise WorkflowNotFound
    changed = _filled_in(locked, given)
    taken = Workflow.objects.filter(project=changed.project_id, name=changed.name)
    if changed.name in catalog.shipped() or taken.exclude(pk=changed.pk).exists():
        raise NameTaken
    changed.version += 1
    changed.updated_at = timezone.now()
    changed.save()
    return changed


def delete(workflow: Workflow) -> None:
    """Its runs stay. Raises Shipped."""
    _check_ours(workflow)
    workflow.delete()


@transactional
def start_run(workflow: Workflow, *, given: Json, by: str = "") -> WorkflowRun:
    """Raises Invalid: for what is given, or where an agent or a tool is no longer there."""
    definition = read_definition(workflow.definition)
    run = WorkflowRun.objects.create(
        project=workflow.project,
        workflow=workflow if workflow.pk else None,
        workflow_name=workflow.name,
        definition=workflow.definition,
        input=read_input(definition, storable(given)),
        started_by=by,
    )
    NodeState.objects.bulk_create(
        NodeState(run=run, node_id=node.id, kind=node.kind, title=node.title, position=place)
        for place, node in enumerate(definition.nodes)
    )
    course = Course(run.pk)
    course.tell()
    for state in course.states.values():
        publish(events.node_updated(run, state), run.project.topic, run.topic)
    course.go_on()
    return course.run


@transactional
def cancel_run(run: WorkflowRun) -> WorkflowRun:
    """End it here and now; what its nodes have done stays. Raises WorkflowRunFinished."""
    course = _course_of(run)
    if course.run.is_finished:
        raise WorkflowRunFinished
    states = _states(course, NodeState.UNFINISHED)
    agents.hold_runs([state.agent_run_id for state in states if state.agent_run_id])
    for state in states:
        queue.stop(state)
        if state.agent_run is not None and not state.agent_run.is_finished:
            with suppress(RunFinished):
                agents.cancel_run(state.agent_run)
        course.end(state, State.CANCELLED)
    course.run.status = WorkflowRun.Status.CANCELLED
    course.run.finished_at = timezone.now()
    course.tell()
    return course.run


@transactional
def resume_run(run: WorkflowRun) -> WorkflowRun:
    """Go on with what failed or was cancelled; what is done is kept. Raises NothingToResume."""
    course = _course_of(run)
    if course.run.status not in (WorkflowRun.Status.FAILED, WorkflowRun.Status.CANCELLED):
        raise NothingToResume
    _retry(course)
    return _begin_again(course)


@transactional
def rerun(run: WorkflowRun, node_id: str) -> WorkflowRun:
    """Do a node again and all that comes after it, with what the nodes before it have come to.

    Raises NodeNotFound, StillGoingOn.
    """
    course = _course_of(run)
    if node_id not in course.states:
        raise NodeNotFound
    if not course.run.is_finished:
        raise StillGoingOn
    again = course.graph.from_here(node_id)
    course.run.nodes.filter(node_id__in=again, item__isnull=False).delete()
    for name in again:
        state = course.states[name]
        # Its effect is wanted once more.
        state.round += 1
        state.output = state.input = None
        _reset(course, state, State.PENDING)
    _retry(course)
    return _begin_again(course)


@transactional
def decide(run: WorkflowRun, node_id: str, *, approved: bool, by: str, comment: str) -> WorkflowRun:
    """Raises NodeNotFound, NotWaiting."""
    course = _course_of(run)
    state = course.states.get(node_id)
    if state is None:
        raise NodeNotFound
    if state.state != State.WAITING:
        raise NotWaiting
    node = course.graph.nodes[node_id]
    assert isinstance(node, ApprovalNode)
    word = "Approved" if approved else "Rejected"
    decision = {"approved": approved, "by": by, "comment": comment, "at": iso(timezone.now())}
    text = f"{word} by {by}{': ' if comment else ''}{comment}"
    if approved or node.rejected == "continue":
        course.complete(state, {**decision, "text": text})
    else:
        state.output = {**decision, "text": text}
        course.fail(state, text)
    course.go_on()
    return course.run


def _filled_in(workflow: Workflow, given: Json) -> Workflow:
    given = storable(given)
    definition = read_definition(given)
    workflow.name = definition.name
    workflow.title = definition.title
    workflow.description = definition.description
    workflow.definition = given
    return workflow


def _check_ours(workflow: Workflow) -> None:
    if workflow.pk is None:
        raise Shipped


def _course_of(run: WorkflowRun) -> Course:
    if run.definition is None:
        raise NotOurs
    return Course(run.pk)


def _states(course: Course, which: Iterable[str]) -> list[NodeState]:
    """Of nodes and of items, in order."""
    items = course.run.nodes.filter(item__isnull=False, state__in=list(which))
    nodes = [state for state in course.states.values() if state.state in which]
    return [*nodes, *items.select_related("agent_run")]


def _retry(course: Course) -> None:
    """What has failed or was cancelled is to be done; a map goes on with those of its items."""
    for state in _states(course, (State.FAILED, State.CANCELLED)):
        has_items = (
            state.kind == "map"
            and course.run.nodes.filter(node_id=state.node_id, item__isnull=False).exists()
        )
        _reset(course, state, State.RUNNING if has_items else State.PENDING)


def _reset(course: Course, state: NodeState, to: State) -> None:
    state.state = to
    state.attempt = 0
    state.error = state.summary = ""
    state.agent_run = None
    state.job_id = None
    state.due_at = state.finished_at = None
    if to == State.PENDING:
        state.started_at = None
    course.changed(state)


def _begin_again(course: Course) -> WorkflowRun:
    run = course.run
    run.status = WorkflowRun.Status.QUEUED
    run.error = ""
    run.output = None
    run.finished_at = None
    course.go_on()
    return run
