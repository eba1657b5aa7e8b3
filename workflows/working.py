"""What a worker writes of the nodes it carries out.

A node carries the number of the worker that has it: whoever was given up for dead writes no more.
"""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection
from pydantic import ValidationError

from agents import services as agents
from agents.errors import RunFinished
from agents.models import AgentRun
from agents.tools.ready import sentence_of
from streaming.publish import transactional
from workflows.course import Course
from workflows.definition import AskAgent, UseTool
from workflows.errors import NodeFailed, WorkflowRunNotFound
from workflows.models import NodeState
from workflows.references import filled
from workflows.tools import Arguments, NodeTool, Task, tools

State = NodeState.State
# A node that takes its worker down with it does so for ever.
MOST_WORKERS = 100
SHORTEST_ANSWER_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A tool's work as it is handed to the worker that takes it up."""

    state_id: int
    run_id: int
    epoch: int
    tool: NodeTool
    task: Task
    arguments: Arguments
    timeout_s: float | None


@transactional
def take_up(state_id: int) -> Errand | None:
    """The node is this worker's from now on; None where there is nothing for a worker to do."""
    found = _hold(state_id)
    if found is None:
        return None
    course, state = found
    work = course.work_of(state)
    errand = None
    if isinstance(work, AskAgent):
        # Its attempt was put off, or the agent's run was deleted: from here on that carries it.
        if state.agent_run is None:
            course.ask_agent(state, work)
    elif isinstance(work, UseTool):
        errand = _take_up(course, state, work)
    course.go_on()
    return errand


@transactional
def finish(errand: Errand, output: Any) -> None:
    """What an Outside tool has answered."""
    found = _hold(errand.state_id, epoch=errand.epoch)
    if found is not None:
        course, state = found
        course.complete(state, output)
        course.go_on()


@transactional
def fail(errand: Errand, error: str, *, may_retry: bool) -> None:
    found = _hold(errand.state_id, epoch=errand.epoch)
    if found is not None:
        course, state = found
        course.fail(state, error, may_retry=may_retry)
        course.go_on()


@transactional
def do_in_transaction(errand: Errand) -> None:
    """The effect of an InTransaction tool, its result, and what comes of it, or none of them."""
    found = _hold(errand.state_id, epoch=errand.epoch)
    if found is None:
        return
    course, state = found
    if errand.timeout_s is not None:
        with connection.cursor() as cursor:
            milliseconds = max(1, round(errand.timeout_s * 1000))
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
    course.complete(state, errand.tool.does(errand.task, errand.arguments))
    course.go_on()


@transactional
def hear_agent(agent_run_id: int) -> None:
    """The run of an agent has ended, for which a node waits; or no longer does."""
    state = NodeState.objects.filter(agent_run=agent_run_id, state=State.RUNNING).first()
    found = _hold(state.pk) if state else None
    if found is None:
        return
    course, state = found
    run = AgentRun.objects.get(pk=agent_run_id)
    if state.agent_run_id != run.pk or not run.is_finished:
        return
    if run.status == AgentRun.Status.COMPLETED:
        _take_answer(course, state, run)
    elif run.status == AgentRun.Status.CANCELLED:
        course.fail(state, "The run of the agent was cancelled")
    else:
        course.fail(state, run.error or "The agent failed", may_retry=True)
    course.go_on()


@transactional
def time_out(state_id: int, round_: int, attempt: int) -> None:
    """What still goes on at the same attempt has taken too long."""
    found = _hold(state_id, going=(State.RUNNING, State.WAITING))
    if found is None or (found[1].round, found[1].attempt) != (round_, attempt):
        return
    course, state = found
    if state.agent_run is not None:
        try:
            agents.cancel_run(state.agent_run)
        except RunFinished:
            return  # just now, and we are about to hear of it
    was_waiting = state.state == State.WAITING
    what = "Nobody has decided in time" if was_waiting else "It has taken too long"
    course.fail(state, what, may_retry=not was_waiting)
    course.go_on()


@transactional
def queue_again(state_id: int) -> None:
    """Have a node carried out that has no job, unless it has ended meanwhile."""
    found = _hold(state_id)
    if found is not None:
        course, state = found
        course.line_up(state)


def _hold(
    state_id: int, *, epoch: int | None = None, going: tuple[State, ...] = NodeState.AT_WORK
) -> tuple[Course, NodeState] | None:
    """The run, and the node of it as it is now; None where it is over, or somebody else's."""
    nodes = NodeState.objects.filter(pk=state_id)
    run_id = nodes.values_list("run", flat=True).first()
    if run_id is None:
        return None
    try:
        course = Course(run_id)
    except WorkflowRunNotFound:
        return None
    state = nodes.select_related("agent_run").first()
    if state is None or course.run.is_finished or state.state not in going:
        return None
    if epoch is not None and (state.epoch, state.state) != (epoch, State.RUNNING):
        return None
    state.run = course.run
    if state.item is None:
        course.states[state.node_id] = state
    return course, state


def _take_up(course: Course, state: NodeState, work: UseTool) -> Errand | None:
    if state.epoch >= MOST_WORKERS:
        course.fail(state, f"{MOST_WORKERS} workers have begun it, and none has ended it")
        return None
    if state.state == State.QUEUED:
        course.begin(state)
    state.epoch += 1
    try:
        tool, arguments = _call_of(course, state, work)
    except NodeFailed as error:
        course.fail(state, str(error))
        return None
    course.changed(state)
    return Errand(
        state_id=state.pk,
        run_id=course.run.pk,
        epoch=state.epoch,
        tool=tool,
        task=Task(run=course.run, node_id=state.node_id, item=state.item, key=state.key),
        arguments=arguments,
        timeout_s=work.timeout_s,
    )


def _call_of(course: Course, state: NodeState, work: UseTool) -> tuple[NodeTool, Arguments]:
    tool = tools().get(work.tool)
    if tool is None:
        raise NodeFailed(f"There is no tool {work.tool}")
    given = filled(work.arguments, course.known_to(state))
    item = {"item": state.input["item"]} if state.item is not None else {}
    state.input = {**item, "arguments": given}
    try:
        return tool, tool.reads.model_validate(given)
    except ValidationError as error:
        raise NodeFailed(f"{work.tool}: {sentence_of(error)}") from error


def _take_answer(course: Course, state: NodeState, run: AgentRun) -> None:
    work = course.work_of(state)
    output: dict[str, Any] = {"text": run.output}
    if isinstance(work, AskAgent) and work.answer == "json":
        try:
            output["json"] = read_json_answer(run.output)
        except ValueError:
            answer = run.output[:SHORTEST_ANSWER_SHOWN]
            course.fail(state, f"The answer is no JSON: {answer}", may_retry=True)
            return
    course.complete(state, output)


def read_json_answer(text: str) -> Any:
    """Also where a model has put a fence around it. Raises ValueError."""
    bare = text.strip()
    if bare.startswith("```"):
        bare = bare.partition("\n")[2].rpartition("```")[0]
    return json.loads(bare)
