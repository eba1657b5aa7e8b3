"""Imports as their owners see them: opened, shown, cancelled."""

from dataclasses import dataclass
from hashlib import sha256

from django.db import IntegrityError
from django.utils import timezone

from conversations import access
from conversations.errors import FileEmpty, JobFinished, KeyUsedBefore
from conversations.events import Json, job_shape
from conversations.ingest.dispatch import fingerprint_of
from conversations.models import IngestJob, Project, Receipt, new_id
from conversations.recording import KEYS_REMEMBERED
from conversations.upload import files, tasks
from conversations.upload.files import Read
from conversations.upload.imports import UNFINISHED, tell
from streaming.publish import transactional

LONGEST_NAME = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file that has come in whole."""

    name: str
    called: str
    size: int
    digest: bytes


def open_import(
    project: Project, *, file_name: str, read: Read, idempotency_key: str | None = None
) -> IngestJob:
    """Keep what is read, and have it imported; under a known key, the job that it stands for.

    Raises what `files.keep` raises, FileEmpty, and KeyUsedBefore.
    """
    name, digest = new_id(), sha256()

    def read_and_digest(length: int) -> bytes:
        piece = read(length)
        digest.update(piece)
        return piece

    size = files.keep(name, read_and_digest)
    try:
        if not size:
            raise FileEmpty
        kept = Kept(name=name, called=file_name[:LONGEST_NAME], size=size, digest=digest.digest())
        job = (
            _open_once(project, kept, idempotency_key) if idempotency_key else _queue(project, kept)
        )
    except BaseException:
        files.remove(name)
        raise
    if job.path != name:
        files.remove(name)
    return job


def cancel(job: IngestJob) -> IngestJob:
    """End an import that has not ended; what it has recorded stays. Raises JobFinished."""
    cancelled = _cancel(job)
    files.remove(job.path)
    return cancelled


def present_state(caller: access.Caller, name: str) -> Json:
    """What a follower of an import hears first. Raises TopicUnknown."""
    return {"type": "ingest.job.updated", "job": job_shape(access.followed_job(caller, name))}


def _open_once(project: Project, kept: Kept, idempotency_key: str) -> IngestJob:
    key = fingerprint_of("import", idempotency_key)
    try:
        return _open_under(key, project, kept)
    except IntegrityError:
        # Another request with this key was quicker: now there is a job to find.
        return _open_under(key, project, kept)


@transactional
def _open_under(key: bytes, project: Project, kept: Kept) -> IngestJob:
    known = Receipt.objects.filter(project=project, identity=key)
    known.filter(created_at__lt=timezone.now() - KEYS_REMEMBERED).delete()
    first = known.first()
    if first is None:
        Receipt.objects.create(
            project=project, identity=key, fingerprint=kept.digest, made_id=kept.name
        )
        return _queue(project, kept)
    if bytes(first.fingerprint or b"") != kept.digest:
        raise KeyUsedBefore
    return project.ingest_jobs.select_related("project").get(public_id=first.made_id)


@transactional
def _queue(project: Project, kept: Kept) -> IngestJob:
    job = IngestJob.objects.create(
        project=project,
        public_id=kept.name,
        path=kept.name,
        file_name=kept.called,
        size=kept.size,
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
