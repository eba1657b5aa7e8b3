"""What the worker does for imports."""

from typing import Any

import structlog
from django.db import OperationalError, connection
from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import JobAborted

from conversations.models import IngestJob
from conversations.upload import files, imports

logger = structlog.get_logger(__name__)

# A worker that stops leaves its imports to the next; a database that is gone comes back.
AGAIN = RetryStrategy(wait=1, retry_exceptions={OperationalError, JobAborted})


@app.task(pass_context=True, retry=AGAIN)
def import_file(context: JobContext, job_id: int) -> None:
    """Work an import off, in a thread of its own, from where it stands."""
    try:
        _import(job_id, context)
    finally:
        connection.close()


def _import(job_id: int, context: JobContext) -> None:
    job = IngestJob.objects.select_related("project").filter(pk=job_id).first()
    if job is None:
        return
    try:
        is_over = imports.work_off(job, should_stop=context.should_abort)
    except OperationalError:
        raise
    except Exception:
        logger.exception("import.failed", job=job.public_id)
        imports.fail(job, "Something went wrong: the log of the server has it")
        return
    if not is_over:
        raise JobAborted


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="sweep_imports", pass_context=False)
def sweep_imports(timestamp: int) -> None:
    """Imports that no job stands for get one again, and files that no import stands for go."""
    unfinished = IngestJob.objects.filter(status__in=imports.UNFINISHED)
    # In this order: one that comes in between has its job, and is not given another.
    ids = list(unfinished.values_list("pk", flat=True))
    for job_id in set(ids).difference(_queued()):
        queue(job_id)
    for name in files.abandoned(set(unfinished.values_list("path", flat=True))):
        files.remove(name)
    connection.close()


def _queued() -> list[int]:
    waiting = ProcrastinateJob.objects.filter(
        task_name=import_file.name, status__in=("todo", "doing")
    )
    return [args["job_id"] for args in waiting.values_list("args", flat=True)]


def queue(job_id: int) -> Any:
    """In the transaction of the caller, if there is one."""
    lock = f"import:{job_id}"
    return import_file.configure(lock=lock, queueing_lock=lock).defer(job_id=job_id)
