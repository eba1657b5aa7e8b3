"""The single gate: who may see and do what. Whatever one may not see does not exist."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from conversations.columns import Columns
from conversations.errors import (
    ConversationNotFound,
    JobNotFound,
    NotAnOwner,
    ProjectNotFound,
    ScopesTooWide,
    UserNotFound,
)
from conversations.models import (
    DEFAULT_PROJECT,
    ApiKey,
    Conversation,
    IngestJob,
    Membership,
    Project,
    Scope,
    digest_of,
)
from streaming import statements
from streaming.errors import TopicUnknown

if TYPE_CHECKING:
    from rest_framework.views import APIView

USE_NOTED_EVERY = timedelta(minutes=1)
RATE = re.compile(r"0|[1-9]\d{0,8}/[1-9]\d{0,8}", re.ASCII)
ALL_SCOPES = frozenset(Scope.values)

# A key or a user, by its primary key.
Leave = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and how far that reaches."""

    # The one project that a key, or being local, opens. A user's projects are those of the user.
    own_project: Project | None = None
    user: User | AnonymousUser = field(default_factory=AnonymousUser)
    key_id: int | None = None
    scopes: frozenset[str] = ALL_SCOPES
    # All that a stream token opens of its project.
    only_topic: str | None = None
    # By what rates are counted; None is not counted.
    rated_as: str | None = None
    rates: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def leave(self) -> Leave | None:
        """By what it follows streams; None is for as long as it likes."""
        if self.key_id is not None:
            return "key", self.key_id
        return ("user", self.user.pk) if self.user.pk is not None else None

    @property
    def project(self) -> Project:
        """The project of a caller that has just one."""
        if self.own_project is None:
            raise ProjectNotFound
        return self.own_project


def caller_of(request: Request) -> Caller:
    """The caller that authentication has put into a request."""
    caller = request.auth
    assert isinstance(caller, Caller)
    return caller


def reading_or(scope: str) -> property:
    """As the `scope` of a view: to look wants "read", and whatever else it offers this."""

    def wanted(view: "APIView") -> str:
        return "read" if view.request.method in SAFE_METHODS else scope

    return property(wanted)


def counted(rate: str, *, on: str) -> property:
    """As the `throttle_scope` of a view: by this rate, and with this method only."""

    def counts(view: "APIView") -> str | None:
        return rate if view.request.method == on else None

    return property(counts)


# Asked with every event that comes in.
_PROJECT = Columns(Project)
_KEY = Columns(ApiKey)
_BY_SLUG = f"SELECT {_PROJECT} FROM conversations_project WHERE slug = %s"  # noqa: S608
_BY_DIGEST = f"""
    SELECT {_KEY}, {_PROJECT} FROM conversations_apikey
    JOIN conversations_project ON conversations_project.id = project_id
    WHERE digest = %s AND revoked_at IS NULL
"""  # noqa: S608 - the names are ours


def default_project() -> Project:
    [rows] = statements.run((_BY_SLUG, [DEFAULT_PROJECT]))
    if rows:
        return _PROJECT.object_of(rows[0])
    return Project.objects.get_or_create(slug=DEFAULT_PROJECT)[0]


def caller_with_key(secret: str) -> Caller | None:
    """The caller behind an API key; None where there is no such key or it was revoked."""
    [rows] = statements.run((_BY_DIGEST, [digest_of(secret)]))
    if not rows:
        return None
    [row] = rows
    key = _KEY.object_of(row[: len(_KEY)])
    key.project = _PROJECT.object_of(row[len(_KEY) :])
    _note_use(key)
    return caller_with(key)


def caller_with(key: ApiKey) -> Caller:
    return Caller(
        own_project=key.project,
        key_id=key.pk,
        scopes=frozenset(key.scopes),
        rated_as=f"key:{key.pk}",
        rates=key.rates,
    )


def caller_as_user(user: User) -> Caller:
    return Caller(user=user, rated_as=f"user:{user.pk}")


def extents_of(leaves: Collection[Leave]) -> dict[Leave, frozenset[object]]:
    """Which scopes a key has, and which projects a user: less of these ends open streams."""
    found: dict[Leave, frozenset[object]] = {}
    if keys := [pk for kind, pk in leaves if kind == "key"]:
        usable = ApiKey.objects.usable().filter(pk__in=keys)
        for pk, scopes in usable.values_list("pk", "scopes"):
            found["key", pk] = frozenset(scopes)
    if users := [pk for kind, pk in leaves if kind == "user"]:
        active = User.objects.filter(pk__in=users, is_active=True)
        for pk, is_staff, project in active.values_list("pk", "is_staff", "membership__project"):
            more = {*([project] if project else []), *(["all"] if is_staff else [])}
            found["user", pk] = found.get(("user", pk), frozenset()) | more
    return found


def projects_of(caller: Caller) -> QuerySet[Project]:
    if caller.own_project is not None:
        return Project.objects.filter(pk=caller.own_project.pk)
    if caller.user.is_staff:
        return Project.objects.all()
    return Project.objects.filter(members=caller.user.pk)


def project_for(caller: Caller, name: str | None) -> Project:
    """The named project (by slug or id), or where none is named the caller's first."""
    projects = projects_of(caller)
    if name is not None:
        known = projects.filter(slug=name) if "\0" not in name else projects.none()
        if not known.exists() and name.isascii() and name.isdigit() and len(name) < 19:
            known = projects.filter(pk=int(name))
    else:
        known = projects.order_by("pk")
    project = known.first()
    if project is None:
        raise ProjectNotFound
    return project


def may_govern(caller: Caller, project: Project) -> bool:
    """Whether the caller may say how long the project keeps things; scopes are asked elsewhere."""
    if caller.own_project is not None or caller.user.is_staff:
        return True
    owners = Membership.objects.filter(project=project, role=Membership.Role.OWNER)
    return owners.filter(user=caller.user.pk).exists()


def project_to_govern(caller: Caller, name: str | None) -> Project:
    """Raises ProjectNotFound where it may not be seen, NotAnOwner where it may not be changed."""
    project = project_for(caller, name)
    if not may_govern(caller, project):
        raise NotAnOwner
    return project


def user_named(name: str) -> User:
    """For those who say who comes into a project. Raises UserNotFound."""
    user = User.objects.filter(username=name).first() if "\0" not in name else None
    if user is None:
        raise UserNotFound
    return user


def check_scopes(caller: Caller, scopes: Iterable[str]) -> None:
    """Raises ScopesTooWide where the caller would give what it does not have."""
    if not caller.scopes.issuperset(scopes):
        raise ScopesTooWide


def conversation_for(caller: Caller, public_id: str) -> Conversation:
    """Raises ConversationNotFound also where it exists and is not for the caller."""
    if "\0" in public_id:
        raise ConversationNotFound
    found = (
        Conversation.objects.filter(public_id=public_id, project__in=projects_of(caller))
        .select_related("project")
        .order_by("pk")
        .first()
    )
    if found is None:
        raise ConversationNotFound
    return found


def job_for(caller: Caller, public_id: str, *, project: Project | None = None) -> IngestJob:
    """Raises JobNotFound also where it exists and is not for the caller, or of another project."""
    projects = projects_of(caller)
    if project is not None:
        projects = projects.filter(pk=project.pk)
    if "\0" in public_id:
        raise JobNotFound
    found = IngestJob.objects.filter(public_id=public_id, project__in=projects)
    job = found.select_related("project").first()
    if job is None:
        raise JobNotFound
    return job


def project_topic(caller: Caller, name: str) -> str:
    """The topic behind `project:NAME`."""
    try:
        return within_token(caller, project_for(caller, name).topic)
    except ProjectNotFound as error:
        raise TopicUnknown from error


def conversation_topic(caller: Caller, public_id: str) -> str:
    """The topic behind `conversation:ID`."""
    try:
        return within_token(caller, conversation_for(caller, public_id).topic)
    except ConversationNotFound as error:
        raise TopicUnknown from error


def ingest_topic(caller: Caller, name: str) -> str:
    """The topic behind `ingest:PROJECT/JOB`."""
    return followed_job(caller, name).topic


def followed_job(caller: Caller, name: str) -> IngestJob:
    project_name, _, public_id = name.rpartition("/")
    try:
        project = project_for(caller, project_name or None)
        job = job_for(caller, public_id, project=project if project_name else None)
    except (ProjectNotFound, JobNotFound) as error:
        raise TopicUnknown from error
    within_token(caller, job.topic)
    return job


def check_rates(rates: object) -> dict[str, str]:
    """Rates of a key's own, by name. Raises ValueError with a sentence."""
    names = ", ".join(settings.RATES)
    if not isinstance(rates, dict) or not rates.keys() <= settings.RATES.keys():
        raise ValueError(f"The rates are {names}.")
    for name, written in rates.items():
        if not isinstance(written, str) or not RATE.fullmatch(written):
            raise ValueError(f"The rate {name} is so many in so many seconds, as 100/60, or 0.")
    return rates


def within_token(caller: Caller, topic: str) -> str:
    if caller.only_topic not in {None, topic}:
        raise TopicUnknown
    return topic


def _note_use(key: ApiKey) -> None:
    """Once a minute and not at every request: a key in use is no reason to write all the time."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
