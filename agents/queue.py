"""How a run gets into the queue of jobs, from below the worker that takes it out."""

from procrastinate.contrib.django import app as jobs

from agents.models import AgentRun

TASK = "agents.answer"


def defer(run: AgentRun) -> int:
    """In the transaction of the caller. Runs of one chat go one after the other, as asked."""
    lock = f"conversation:{run.conversation_id}" if run.conversation_id else f"run:{run.pk}"
    return jobs.configure_task(TASK, lock=lock).defer(run_id=run.pk)
