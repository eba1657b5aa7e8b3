"""How runs get into the queue of jobs, from below the worker that takes them out.

Of a chat only the oldest run that has not ended has a job; whoever ends it queues the next, in the
same transaction. The rows of the conversation and of the run are held by the caller.
"""

from django.db.models import Exists, OuterRef, QuerySet
from procrastinate.contrib.django import app as jobs
from procrastinate.contrib.django.models import ProcrastinateJob

from agents.models import AgentRun

TASK = "agents.answer"


def put_in_line(run: AgentRun) -> None:
    """It is worked on as soon as those asked before it in its chat have ended."""
    if not _before(run).exists():
        _defer(run)


def call_next(ended: AgentRun) -> None:
    """What waits for the end of this run: the task named by who began it, the chat's next run."""
    if ended.then:
        jobs.configure_task(ended.then).defer(run_id=ended.pk)
    if ended.conversation_id is None:
        return
    waiting = AgentRun.objects.filter(
        conversation=ended.conversation_id, status=AgentRun.Status.QUEUED, job_id=None
    )
    run = waiting.order_by("pk").first()
    if run is not None:
        _defer(run)


def stop(run: AgentRun) -> None:
    """Its worker is told, if it has one; a job that waits is taken back."""
    if run.job_id is not None:
        jobs.job_manager.cancel_job_by_id(run.job_id, abort=True, delete_job=True)


def without_job() -> QuerySet[AgentRun]:
    """Runs that nobody will carry out: a worker has failed at the very beginning or end of them."""
    alive = ProcrastinateJob.objects.filter(id=OuterRef("job_id"), status__in=("todo", "doing"))
    unfinished = AgentRun.objects.filter(status__in=AgentRun.UNFINISHED, outside_id="")
    return unfinished.filter(~Exists(alive)).order_by("pk")


def _before(run: AgentRun) -> QuerySet[AgentRun]:
    if run.conversation_id is None:
        return AgentRun.objects.none()
    of_chat = AgentRun.objects.filter(conversation=run.conversation_id, pk__lt=run.pk)
    return of_chat.filter(status__in=AgentRun.UNFINISHED)


def _defer(run: AgentRun) -> None:
    run.job_id = jobs.configure_task(TASK, lock=f"run:{run.pk}").defer(run_id=run.pk)
    run.save(update_fields=["job_id"])
