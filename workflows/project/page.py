"""The page of a project, and the form on it that has a website written."""

from functools import partial
from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from conversations.access import caller_of, counted, project_for, projects_of, reading_or
from conversations.models import Project
from conversations.pages.doors import FormPage
from workflows import services
from workflows.access import workflow_for
from workflows.project import parts
from workflows.project.streamed import streamed

LONGEST_BRIEF = 20_000

Json = dict[str, Any]


@extend_schema(exclude=True)
class ProjectPage(FormPage):
    scope = reading_or("run")
    throttle_scope = counted("messages", on="POST")

    def get(self, request: Request, project: str | None = None) -> HttpResponseBase:
        # The switcher of projects says which in the query, wherever it stands.
        named = request.query_params.get("project", project)
        return self._shown(request, project_for(caller_of(request), named))

    def post(self, request: Request, project: str | None = None) -> HttpResponseBase:
        caller = caller_of(request)
        found = project_for(caller, request.query_params.get("project", project))
        given = request.data if isinstance(request.data, dict) else {}
        # Browsers end the lines of a form as it was done in 1970.
        brief = str(given.get("brief") or "").replace("\r\n", "\n").replace("\0", "").strip()
        if complaint := _complaint(brief):
            return self._shown(request, found, brief=brief, complaint=complaint)
        by = caller.user.get_username() or "local"
        website = workflow_for(found, "website-content")
        services.start_run(website, given={"brief": brief}, by=by)
        return redirect(reverse("project-page", kwargs={"project": found.slug}))

    def _shown(self, request: Request, project: Project, **form: str) -> HttpResponseBase:
        shown: Json = {
            "project": project,
            "projects": projects_of(caller_of(request)).order_by("slug"),
            "longest_brief": LONGEST_BRIEF,
            **form,
        }
        shell = render_to_string("workflows/project.html", shown, request=request._request)
        return streamed(
            shell, {name: partial(parts.rendered, name, project) for name in parts.READ}
        )


def _complaint(brief: str) -> str:
    if not brief:
        return "Say what the website is about first"
    return f"A brief has at most {LONGEST_BRIEF:,} characters" if len(brief) > LONGEST_BRIEF else ""
