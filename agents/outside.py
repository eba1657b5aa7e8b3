"""What frameworks outside tell of their agents: kept as our own is, and told in the same words.

Its callers hold the lock of the project's progress: what comes from outside is written one
transaction after the other, and rows of runs from outside are locked by nobody else.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from agents import events, progress
from agents.errors import RunIsOurs
from agents.events import AgentEvent, StepEvent
from agents.models import AgentRun, AgentStep
from agents.progress import Report
from agents.schemas import MessageGiven, ProgressGiven, RunGiven, StepGiven
from agents.summaries import one_line
from conversations.models import Project
from streaming.events import iso
from streaming.publish import publish

Status = AgentRun.Status
STATUS_BY_KIND = {
    "agent.run.created": Status.QUEUED,
    "agent.run.updated": Status.RUNNING,
    "agent.run.completed": Status.COMPLETED,
    "agent.run.failed": Status.FAILED,
}
ENDS = ("agent.run.completed", "agent.run.failed")
ENDED = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
# Whose words are the answer of a run.
SPEAKERS = ("agent", "assistant")


def take_run(project: Project, given: RunGiven, *, kind: str, at: datetime) -> list[AgentEvent]:
    """Raises RunIsOurs."""
    run, is_new = _run(project, given.id, agent_id=given.agent_id, at=at)
    before = None if is_new else run.status
    said = run.output
    _say(run, given)
    own = STATUS_BY_KIND[kind]
    _move(run, own if kind in ENDS else given.status or own, given, at=at)
    _tell_steps(run, _of_run(run, said=said, was=before), at=at)
    run.save()
    told = [events.run_event(run, kind.rpartition(".")[2])]
    return told if run.status == before else [*told, *_progress_of(run, at)]


def take_step(project: Project, given: StepGiven, *, at: datetime) -> list[AgentEvent]:
    """Raises RunIsOurs."""
    run, opened = _run_heard_of(project, given.run_id, agent_id=given.agent_id, at=at)
    step, is_new = AgentStep.objects.get_or_create(
        run=run, call_id=given.id, defaults={"name": given.name, "started_at": at}
    )
    was_running = step.status == AgentStep.Status.RUNNING
    said = {
        "name": given.name,
        "status": given.status,
        "args_summary": given.args_summary,
        "result_summary": given.result_summary,
        "result": given.result,
        "duration_ms": given.ms,
        "started_at": given.started_at,
        "finished_at": given.finished_at,
    }
    _set(step, said)
    if step.status != AgentStep.Status.RUNNING:
        step.finished_at = step.finished_at or at
        step.result_summary = step.result_summary or one_line(step.result)
    step.save()
    if is_new:
        run.tool_calls += 1
    if not run.is_finished:
        _tell_steps(run, _of_step(step, is_new=is_new, was_running=was_running), at=at)
    run.save()
    return [*opened, events.step_updated(run, step)]


def take_message(project: Project, given: MessageGiven, *, at: datetime) -> list[AgentEvent]:
    """Raises RunIsOurs."""
    opened: list[AgentEvent] = []
    if given.run_id is not None:
        agent_id = given.agent_id or given.agent_name or "outside"
        run, opened = _run_heard_of(project, given.run_id, agent_id=agent_id, at=at)
        if given.role in SPEAKERS and not run.is_finished:
            said = run.output
            run.output = "\n\n".join(filter(None, [said, given.content]))
            _tell_steps(run, _of_output(said, run.output), at=at)
            run.save()
    shape = {
        "id": given.id,
        "runId": given.run_id,
        "conversationId": given.conversation_id,
        "agentId": given.agent_id,
        "agentName": given.agent_name or given.agent_id,
        "role": given.role,
        "content": given.content,
        "timestamp": iso(at),
    }
    told = AgentEvent(
        kind="agent.message.appended",
        family="message",
        shape=shape,
        subject=given.agent_id or "",
        occurred_at=at,
    )
    return [*opened, told]


def take_progress(
    project: Project, given: ProgressGiven, *, kind: str, at: datetime
) -> list[AgentEvent]:
    """Raises RunIsOurs."""
    agent_id = given.agent_id
    assert agent_id is not None
    run: AgentRun | None = None
    opened: list[AgentEvent] = []
    if given.run_id is not None:
        run, opened = _run_heard_of(project, given.run_id, agent_id=agent_id, at=at)
    report = given.report(project, agent_id, at=at, run=run, has_completed=kind == "agent.complete")
    if run is not None and run.is_finished and kind == "agent.progress":
        # It came late: the run is where its end has left it.
        return [*opened, *progress.passing(report).events[:1]]
    standing = progress.take([report])[0]
    told = list(standing.events)
    if kind == "agent.complete" and len(told) == 1:
        told.append(events.complete(standing.row, report, {}))
    return [*opened, *told]


def _run_heard_of(
    project: Project, run_id: str, *, agent_id: str, at: datetime
) -> tuple[AgentRun, list[AgentEvent]]:
    """Whatever comes first of a run opens it or begins it, and that is told, too."""
    run, is_new = _run(project, run_id, agent_id=agent_id, at=at)
    if run.status != Status.QUEUED:
        return run, []
    run.status, run.started_at = Status.RUNNING, run.started_at or at
    _tell_steps(run, [], at=at)
    run.save()
    told = events.run_event(run, "created" if is_new else "updated")
    return run, [told, *_progress_of(run, at)]


def _run(project: Project, run_id: str, *, agent_id: str, at: datetime) -> tuple[AgentRun, bool]:
    if AgentRun.objects.filter(project=project, public_id=run_id).exists():
        raise RunIsOurs
    run, is_new = AgentRun.objects.get_or_create(
        project=project,
        outside_id=run_id,
        defaults={"agent_id": agent_id, "agent_name": agent_id, "created_at": at},
    )
    run.project = project
    return run, is_new


def _say(run: AgentRun, given: RunGiven) -> None:
    said = {
        "agent_id": given.agent_id,
        "agent_name": given.agent_name,
        "model": given.model,
        "prompt": given.prompt,
        "output": given.output,
        "error": given.error,
        "metadata": given.metadata,
        # Those of which it told are counted as well.
        "tool_calls": max(given.tool_calls or 0, run.tool_calls),
        "input_tokens": given.input_tokens,
        "output_tokens": given.output_tokens,
        "cost": given.cost,
        "started_at": given.started_at,
    }
    _set(run, said)
    if given.total_tokens is not None and given.input_tokens is given.output_tokens is None:
        run.output_tokens = given.total_tokens


def _move(run: AgentRun, status: str, given: RunGiven, *, at: datetime) -> None:
    """A run that has ended stays ended, whatever comes late."""
    if not run.is_finished or status not in AgentRun.UNFINISHED:
        run.status = Status(status)
    if status != Status.QUEUED:
        run.started_at = run.started_at or at
    if run.is_finished:
        run.finished_at = given.finished_at or run.finished_at or at
    # What is told late has begun before it was heard of.
    known = (given.created_at, run.started_at, run.finished_at, run.created_at)
    run.created_at = min(moment for moment in known if moment)


# The same once more in the steps of an answer, for those who follow the run itself


def _tell_steps(run: AgentRun, steps: list[StepEvent], *, at: datetime) -> None:
    if not run.told and run.status != Status.QUEUED:
        steps = [events.start(run), *steps]
    for step in steps:
        publish(replace(step, occurred_at=at), run.topic)
    run.told += len(steps)


def _of_run(run: AgentRun, *, said: str, was: str | None) -> list[StepEvent]:
    steps = _of_output(said, run.output)
    if run.is_finished and was not in ENDED:
        failure = [events.error(run.error)] if run.status == Status.FAILED else []
        steps += [*failure, events.end(run)]
    return steps


def _of_output(said: str, output: str) -> list[StepEvent]:
    if output == said:
        return []
    if output.startswith(said):
        return [events.content(output[len(said) :])]
    return [events.reset("The answer was put anew"), events.content(output)]


def _of_step(step: AgentStep, *, is_new: bool, was_running: bool) -> list[StepEvent]:
    steps = [events.tool_start(step.call_id, step.name, step.args_summary)] if is_new else []
    if was_running and step.status != AgentStep.Status.RUNNING:
        end = events.tool_end(
            step.call_id,
            step.name,
            status=step.status,
            ms=step.duration_ms or 0,
            result_summary=step.result_summary,
        )
        steps.append(end)
    return steps


def _progress_of(run: AgentRun, at: datetime) -> list[AgentEvent]:
    report = Report(
        project_id=run.project_id,
        agent_id=run.agent_id,
        run=run,
        status=run.status,
        tokens_used=run.input_tokens + run.output_tokens,
        cost=run.cost,
        at=at,
    )
    return list(progress.take([report])[0].events)


def _set(row: AgentRun | AgentStep, said: dict[str, Any]) -> None:
    for name, value in said.items():
        if value is not None:
            setattr(row, name, value)
