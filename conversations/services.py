"""What changes the record: one function writes events, however many; members and keys."""

import secrets
from collections.abc import Callable, Iterator, Sequence

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone
from django.utils.module_loading import import_string

from conversations import events, metrics, search
from conversations.changes import Delivery, Json, Outcome
from conversations.errors import ConversationNotFound, KeyNotFound, LastOwner, MemberNotFound
from conversations.models import (
    ApiKey,
    Conversation,
    DeletedConversation,
    Membership,
    Participant,
    Project,
    RawEvent,
    Receipt,
    SearchDocument,
    Unindexed,
    all_scopes,
    digest_of,
)
from conversations.recording import KEYS_REMEMBERED, Recording
from streaming.publish import erase, publish, transactional

# The rows that a conversation owns, in the order in which they go before its messages do.
PARTS: dict[str, type[models.Model]] = {
    "waiting_for_search": Unindexed,
    "search_documents": SearchDocument,
    "participants": Participant,
    "events": RawEvent,
}


@transactional
def record(project: Project, deliveries: Sequence[Delivery]) -> list[Outcome]:
    """Write changes in order, all in one transaction, and tell the followers.

    Where another transaction writes the same thing at the same moment, a constraint decides and
    this raises IntegrityError: called again, it finds what the other has written.
    """
    return Recording(project, deliveries).run()


@transactional
def edit_conversation(
    conversation: Conversation,
    *,
    name: str | None = None,
    notes: str | None = None,
    metadata: Json | None = None,
) -> Conversation:
    """Change what people may: in metadata, what is None goes and what is not named stays."""
    locked = _locked(conversation)
    if name is not None and name != locked.name:
        locked.name = name
        search.queue(locked.project_id, named=[locked.pk], messages=[])
    if notes is not None:
        locked.notes = notes
    if metadata is not None:
        changed = {**locked.metadata, **metadata}
        locked.metadata = {key: value for key, value in changed.items() if value is not None}
    locked.updated_at = timezone.now()
    locked.save(update_fields=["name", "notes", "metadata", "updated_at"])
    told = events.conversation_updated(
        locked, list(locked.participants.all()), project=locked.project.slug
    )
    publish(told, locked.project.topic, locked.topic)
    return locked


@transactional
def delete_conversation(conversation: Conversation) -> dict[str, int]:
    """Delete all of it, its events in the log too; says how many rows went, by what they were.

    Only its id is remembered, so that events which come late are dropped.
    """
    locked = _locked(conversation)
    gone = {name: delete(locked) for name, delete in _parts_of_higher_floors()}
    for name, model in PARTS.items():
        gone[name] = model._default_manager.filter(conversation=locked.pk)._raw_delete("default")
    erase(locked.topic)
    project, topic, public_id = locked.project, locked.topic, locked.public_id
    # Last of what takes long: from here to COMMIT, others who are counted in the same hours wait.
    gone["messages"] = metrics.delete_messages(locked)
    gone["conversations"] = locked.delete()[0]
    now = timezone.now()
    DeletedConversation.objects.create(project=project, public_id=public_id, deleted_at=now)
    publish(events.conversation_deleted(public_id, at=now, is_final=False), project.topic)
    publish(events.conversation_deleted(public_id, at=now, is_final=True), topic)
    return gone


def _parts_of_higher_floors() -> Iterator[tuple[str, Callable[[Conversation], int]]]:
    for name, path in settings.CONVERSATION_PARTS.items():
        yield name, import_string(path)


def _locked(conversation: Conversation) -> Conversation:
    # The weaker lock lets search, which refers to the conversation, finish what it has begun.
    locked = (
        Conversation.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .filter(pk=conversation.pk)
        .first()
    )
    if locked is None:
        raise ConversationNotFound
    return locked


@transactional
def make_project(
    slug: str, *, owner: User, name: str = "", retention_days: int | None = None
) -> Project:
    """Raises IntegrityError where there is one of this name."""
    project = Project.objects.create(slug=slug, name=name, retention_days=retention_days)
    Membership.objects.create(project=project, user=owner, role=Membership.Role.OWNER)
    return project


def edit_project(project: Project, *, name: str, retention_days: int | None) -> Project:
    project.name = name
    project.retention_days = retention_days
    project.save(update_fields=["name", "retention_days"])
    return project


@transactional
def set_member(project: Project, user: User, *, role: str) -> Membership:
    """Let somebody in, or change what they may. Raises LastOwner."""
    if role != Membership.Role.OWNER:
        _keep_an_owner(project, without=user)
    membership, _ = Membership.objects.update_or_create(
        project=project, user=user, defaults={"role": role}
    )
    return membership


@transactional
def remove_member(project: Project, user: User) -> None:
    """Raises MemberNotFound and LastOwner."""
    _keep_an_owner(project, without=user)
    if not Membership.objects.filter(project=project, user=user).delete()[0]:
        raise MemberNotFound


def _keep_an_owner(project: Project, *, without: User) -> None:
    # All owners are locked: of two who remove each other, the second finds itself alone.
    owners = Membership.objects.filter(project=project, role=Membership.Role.OWNER)
    found = owners.select_for_update().order_by("pk").values_list("user", flat=True)
    if list(found) == [without.pk]:
        raise LastOwner


def make_key(
    project: Project,
    name: str,
    *,
    scopes: Sequence[str] | None = None,
    rates: dict[str, str] | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its secret, which is not to be had again."""
    secret = f"ap_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        project=project,
        name=name,
        digest=digest_of(secret),
        hint=secret[:7],
        scopes=list(scopes) if scopes else all_scopes(),
        rates=rates or {},
    )
    return key, secret


def revoke_key(project: Project, key_id: int) -> None:
    """From now on it opens nothing. Raises KeyNotFound."""
    usable = ApiKey.objects.usable().filter(project=project, pk=key_id)
    if not usable.update(revoked_at=timezone.now()):
        raise KeyNotFound


def forget_old_keys() -> int:
    """Drop Idempotency-Keys past their time; says how many."""
    too_old = Receipt.objects.filter(
        fingerprint__isnull=False, created_at__lt=timezone.now() - KEYS_REMEMBERED
    )
    return too_old.delete()[0]
