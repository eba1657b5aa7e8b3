"""How nodes get into the queue of jobs, from below the worker that takes them out."""

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from procrastinate.contrib.django import app as jobs
from procrastinate.contrib.django.models import ProcrastinateJob

from agents.models import AgentRun
from workflows.models import NodeState

CARRY_OUT = "workflows.carry_out"
HEAR_AGENT = "workflows.hear_agent"
TIME_OUT = "workflows.time_out"


def put_in_line(state: NodeState) -> None:
    """A worker takes it up at once, or when it is due."""
    task = jobs.configure_task(CARRY_OUT, lock=f"node:{state.pk}", schedule_at=state.due_at)
    state.job_id = task.defer(state_id=state.pk)


def look_again_at(state: NodeState, at: datetime) -> None:
    """Whether it still goes on then, at the same attempt: so long it may take."""
    task = jobs.configure_task(TIME_OUT, schedule_at=at)
    task.defer(state_id=state.pk, round=state.round, attempt=state.attempt)


def stop(state: NodeState) -> None:
    """Its worker is told, if it has one; a job that waits is taken back."""
    if state.job_id is not None:
        jobs.job_manager.cancel_job_by_id(state.job_id, abort=True, delete_job=True)


def without_job() -> QuerySet[NodeState]:
    """Nodes that nobody will carry out: a worker failed at the very beginning or end of them."""
    alive = ProcrastinateJob.objects.filter(id=OuterRef("job_id"), status__in=("todo", "doing"))
    lost = NodeState.objects.filter(state__in=NodeState.AT_WORK, agent_run=None)
    return lost.exclude(kind="map").filter(~Exists(alive)).order_by("pk")


def unheard() -> QuerySet[AgentRun]:
    """Runs of agents that have ended, of which their nodes have not heard."""
    waiting = NodeState.objects.filter(agent_run=OuterRef("pk"), state=NodeState.State.RUNNING)
    return AgentRun.objects.filter(~Q(status__in=AgentRun.UNFINISHED), Exists(waiting))
