"""Pages of imports: files come in, and what becomes of them."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.access import caller_of, counted, job_for, project_for, projects_of, reading_or
from conversations.errors import FileEmpty, FileUnreadable, JobFinished
from conversations.models import IngestJob, Project
from conversations.pages.doors import FormPage
from conversations.upload import jobs
from conversations.upload.imports import UNFINISHED
from conversations.upload.job_views import check_length
from streaming import replay
from streaming.events import id_without_event

IMPORTS_A_PAGE = 20
FIRST_ERRORS = 3
MOST_DIGITS = 18

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One import as pages show it."""

    job: IngestJob
    is_over: bool
    counts: dict[str, str]
    errors: list[Json]
    more_errors: int


@extend_schema(exclude=True)
class ImportsPage(FormPage):
    """What has been imported, newest first, and a form for more."""

    scope = reading_or("ingest")
    throttle_scope = counted("upload", on="POST")

    def get(self, request: Request) -> Response:
        return self.shown(request)

    def post(self, request: Request) -> HttpResponseBase:
        check_length(request)
        project = _project(request)
        files = request.FILES.getlist("file")
        if not files:
            return self.shown(request, complaint="Choose a file first")
        for file in files:
            try:
                jobs.open_import(project, file_name=file.name, read=file.read)
            except (FileEmpty, FileUnreadable) as error:
                return self.shown(request, complaint=f"{file.name}: {error}")
        return redirect(f"{reverse('import')}?project={project.slug}")

    def shown(self, request: Request, *, complaint: str = "") -> Response:
        project = _project(request)
        # Read first: what happens while the rows are read is told once more.
        since = id_without_event(replay.last_number(project.topic))
        newest = project.ingest_jobs.order_by("-id")
        before = request.query_params.get("before", "")
        if before.isascii() and before.isdigit() and len(before) <= MOST_DIGITS:
            newest = newest.filter(pk__lt=int(before))
        found = list(newest[: IMPORTS_A_PAGE + 1])
        rows = [row_of(job, most_errors=FIRST_ERRORS) for job in found[:IMPORTS_A_PAGE]]
        shown: Json = {
            "project": project,
            "projects": projects_of(caller_of(request)).order_by("slug"),
            "since": since,
            "rows": rows,
            "older": rows[-1].job.pk if len(found) > IMPORTS_A_PAGE else None,
            "is_newest": not before,
            "complaint": complaint,
        }
        status = 400 if complaint else 200
        return Response(shown, status=status, template_name="conversations/imports.html")


@extend_schema(exclude=True)
class ImportPage(FormPage):
    """One import, with all that could not be read."""

    scope = reading_or("ingest")

    def get(self, request: Request, job: str) -> Response:
        found = job_for(caller_of(request), job)
        since = id_without_event(replay.last_number(found.project.topic))
        found.refresh_from_db()
        shown: Json = {
            "project": found.project,
            "projects": projects_of(caller_of(request)).filter(pk=found.project_id),
            "since": since,
            "row": row_of(found),
        }
        return Response(shown, template_name="conversations/import.html")


@extend_schema(exclude=True)
class ImportCancel(ImportPage):
    def post(self, request: Request, job: str) -> HttpResponseBase:
        found = job_for(caller_of(request), job)
        # That it is over already is what the page will say.
        with suppress(JobFinished):
            jobs.cancel(found)
        return redirect("import-job", job=found.public_id)


def row_of(job: IngestJob, *, most_errors: int | None = None) -> Row:
    errors = job.errors[:most_errors]
    return Row(
        job=job,
        is_over=job.status not in UNFINISHED,
        counts=dict(_counts(job)),
        errors=errors,
        more_errors=len(job.errors) - len(errors),
    )


def _counts(job: IngestJob) -> Iterable[tuple[str, str]]:
    for name in ("new", "repaired", "known", "failed"):
        yield name, f"{getattr(job, name):,}"


def _project(request: Request) -> Project:
    return project_for(caller_of(request), request.query_params.get("project"))
