"""Imports as their owners see them: opened, shown, cancelled."""

from django.utils import timezone

from conversations import access
from conversations.errors import FileEmpty, JobFinished
from conversations.events import Json, job_shape
from conversations.models import IngestJob, Project, new_id
from conversations.upload import files, tasks
from conversations.upload.files import Read
from conversations.upload.imports import UNFINISHED, tell
from streaming.publish import transactional

LONGEST_NAME = 255


def open_import(project: Project, *, file_name: str, read: Read) -> IngestJob:
    """Keep what is read, and have it imported. Raises what `files.keep` raises, and FileEmpty."""
    name = new_id()
    size = files.keep(name, read)
    try:
        if not size:
            raise FileEmpty
        return _queue(project, name, file_name=file_name[:LONGEST_NAME], size=size)
    except BaseException:
        files.remove(name)
        raise


def cancel(job: IngestJob) -> IngestJob:
    """End an import that has not ended; what it has recorded stays. Raises JobFinished."""
    cancelled = _cancel(job)
    files.remove(job.path)
    return cancelled


def present_state(caller: access.Caller, name: str) -> Json:
    """What a follower of an import hears first. Raises TopicUnknown."""
    return {"type": "ingest.job.updated", "job": job_shape(access.followed_job(caller, name))}


@transactional
def _queue(project: Project, name: str, *, file_name: str, size: int) -> IngestJob:
    job = IngestJob.objects.create(
        project=project, public_id=name, path=name, file_name=file_name, size=size
    )
    tasks.queue(job.pk)
    tell(job, "created")
    return job


@transactional
def _cancel(job: IngestJob) -> IngestJob:
    unfinished = IngestJob.objects.filter(pk=job.pk, status__in=UNFINISHED)
    if not unfinished.update(status=IngestJob.Status.CANCELLED, finished_at=timezone.now()):
        raise JobFinished
    job.refresh_from_db()
    tell(job)
    return job
