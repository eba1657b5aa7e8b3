"""The settings of a project: who and what comes in, and how long it stays.

Each form has an address of its own. Asked for, it shows all settings: whoever had to sign in
before a form was taken comes back to a page.
"""

from typing import Any

from django import forms
from django.db import IntegrityError
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.access import (
    caller_of,
    check_scopes,
    may_govern,
    project_for,
    project_to_govern,
    projects_of,
    user_named,
)
from conversations.errors import KeyNotFound, LastOwner, MemberNotFound, UserNotFound
from conversations.export.formats import FORMATS
from conversations.models import Membership, Project
from conversations.pages.doors import FormPage
from conversations.pages.forms import (
    KeyForm,
    MemberForm,
    NameForm,
    NewProjectForm,
    RetentionForm,
)
from conversations.retention import count_expired
from conversations.services import (
    edit_project,
    make_key,
    make_project,
    remove_member,
    revoke_key,
    set_member,
)

RETENTION_DAYS_SHOWN = 14

Json = dict[str, Any]


class SettingsDoor(FormPage):
    def get(self, request: Request, **_: object) -> Response:
        return self.shown(request)

    def shown(self, request: Request, *, status: int = 200, **shown: Any) -> Response:
        """All settings; of one form, what was written in it and what is wrong with that."""
        caller = caller_of(request)
        project = project_for(caller, request.query_params.get("project"))
        members = Membership.objects.filter(project=project).select_related("user")
        context: Json = {
            "project": project,
            "projects": projects_of(caller).order_by("slug"),
            "may_govern": may_govern(caller, project),
            "saved": request.query_params.get("saved"),
            "keys": project.keys.usable().order_by("-pk"),
            "members": members.order_by("user__username"),
            "taken": project.retention.order_by("-day")[:RETENTION_DAYS_SHOWN],
            "formats": FORMATS,
            "name_form": _empty(NameForm, "project", name=project.name),
            "retention_form": _empty(RetentionForm, "retention", days=project.retention_days),
            "key_form": _empty(KeyForm, "key"),
            "member_form": _empty(MemberForm, "member"),
            **shown,
        }
        return Response(context, status=status, template_name="conversations/settings.html")

    def project_to_govern(self, request: Request) -> Project:
        return project_to_govern(caller_of(request), request.query_params.get("project"))


@extend_schema(exclude=True)
class SettingsPage(SettingsDoor):
    def post(self, request: Request) -> HttpResponseBase:
        project = self.project_to_govern(request)
        form = NameForm(request.POST, auto_id="project_%s")
        if not form.is_valid():
            return self.shown(request, status=400, name_form=form)
        name = form.cleaned_data["name"]
        edit_project(project, name=name, retention_days=project.retention_days)
        return _saved(project, "about")


@extend_schema(exclude=True)
class RetentionSettings(SettingsDoor):
    def post(self, request: Request) -> HttpResponseBase:
        project = self.project_to_govern(request)
        form = RetentionForm(request.POST, auto_id="retention_%s")
        if not form.is_valid():
            return self.shown(request, status=400, retention_form=form)
        days = form.cleaned_data["days"]
        if "preview" in request.POST:
            would_go = count_expired(project, days) if days else 0
            preview = {"would_go": would_go, "of": project.conversations.count(), "days": days}
            return self.shown(request, retention_form=form, preview=preview)
        edit_project(project, name=project.name, retention_days=days)
        return _saved(project, "retention")


@extend_schema(exclude=True)
class KeySettings(SettingsDoor):
    def post(self, request: Request) -> HttpResponseBase:
        project = self.project_to_govern(request)
        form = KeyForm(request.POST, auto_id="key_%s")
        if not form.is_valid():
            return self.shown(request, status=400, key_form=form)
        caller = caller_of(request)
        name, scopes = form.cleaned_data["name"], form.cleaned_data["scopes"]
        check_scopes(caller, scopes)
        # A key that is slowed down makes none that is not.
        made, secret = make_key(project, name, scopes=scopes, rates=caller.rates)
        answer = self.shown(request, made=made, secret=secret)
        answer["Cache-Control"] = "no-store"
        return answer


@extend_schema(exclude=True)
class KeyRevocation(SettingsDoor):
    def post(self, request: Request, key: int) -> HttpResponseBase:
        project = self.project_to_govern(request)
        try:
            revoke_key(project, key)
        except KeyNotFound as error:
            return self.shown(request, status=404, key_complaint=str(error))
        return _saved(project, "keys")


@extend_schema(exclude=True)
class MemberSettings(SettingsDoor):
    def post(self, request: Request) -> HttpResponseBase:
        project = self.project_to_govern(request)
        form = MemberForm(request.POST, auto_id="member_%s")
        if form.is_valid():
            try:
                user = user_named(form.cleaned_data["username"])
                set_member(project, user, role=form.cleaned_data["role"])
                return _saved(project, "members")
            except (UserNotFound, LastOwner) as error:
                form.add_error("username", str(error))
        return self.shown(request, status=400, member_form=form)


@extend_schema(exclude=True)
class MemberRemoval(SettingsDoor):
    def post(self, request: Request) -> HttpResponseBase:
        project = self.project_to_govern(request)
        username = request.POST.get("username", "")
        try:
            remove_member(project, user_named(username))
        except (UserNotFound, MemberNotFound, LastOwner) as error:
            return self.shown(request, status=400, member_complaint=str(error))
        if username == request.user.get_username():
            return redirect("dashboard")
        return _saved(project, "members")


@extend_schema(exclude=True)
class NewProjectPage(FormPage):
    """A project more, also for those who have none yet."""

    def get(self, request: Request) -> Response:
        return self.shown(request, NewProjectForm())

    def post(self, request: Request) -> HttpResponseBase:
        user = caller_of(request).user
        form = NewProjectForm(request.POST)
        if form.is_valid() and not user.is_anonymous:
            wanted, name = form.cleaned_data["id"], form.cleaned_data["name"]
            try:
                return _saved(make_project(wanted, owner=user, name=name), "about")
            except IntegrityError:
                form.add_error("id", "There is a project of this id.")
        return self.shown(request, form, status=400)

    def shown(self, request: Request, form: NewProjectForm, *, status: int = 200) -> Response:
        caller = caller_of(request)
        context: Json = {
            "project": projects_of(caller).order_by("pk").first(),
            "form": form,
            "is_person": not caller.user.is_anonymous,
        }
        return Response(context, status=status, template_name="conversations/new_project.html")


def _empty(form: type[forms.Form], about: str, **initial: object) -> forms.Form:
    return form(initial=initial or None, auto_id=f"{about}_%s")


def _saved(project: Project, part: str) -> HttpResponseBase:
    return redirect(f"{reverse('settings')}?project={project.slug}&saved={part}#{part}")
