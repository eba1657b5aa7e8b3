"""What a project no longer keeps: whatever was not touched for as many days as it says.

Each conversation goes in a transaction of its own, which also notes that it went. Asked again
under its lock, one that was touched meanwhile stays. What is finished or not makes no difference,
but nothing goes while files are being imported, nor a chat whose answer is being written.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.utils import timezone

from conversations.models import (
    Conversation,
    IngestJob,
    Message,
    Project,
    RawEvent,
    Receipt,
    RetentionDay,
)
from conversations.services import delete_conversation
from streaming.publish import transactional

AT_ONCE = 1000
BEING_ANSWERED = ("pending", "processing")
UNFINISHED = (IngestJob.Status.QUEUED, IngestJob.Status.RUNNING)

Gone = Counter[str]


def delete_expired(project: Project, *, should_stop: Callable[[], bool] = lambda: False) -> Gone:
    """Delete what has expired and say how many rows went, by what they were."""
    assert project.retention_days is not None
    gone: Gone = Counter()
    if project.ingest_jobs.filter(status__in=UNFINISHED).exists():
        return gone
    before = timezone.now() - timedelta(days=project.retention_days)
    _note(project, gone)
    for step in _steps(project, before):
        if should_stop():
            break
        gone += step()
    return gone


def count_expired(project: Project, days: int) -> int:
    """How many conversations would go if the project kept them for so many days."""
    return _expired(project, timezone.now() - timedelta(days=days)).count()


def _steps(project: Project, before: datetime) -> Iterator[Callable[[], Gone]]:
    """One transaction after the other, for as long as there is something to delete."""
    last = 0
    while keys := list(
        _expired(project, before)
        .filter(pk__gt=last)
        .order_by("pk")
        .values_list("pk", flat=True)[:AT_ONCE]
    ):
        for last in keys:
            yield partial(_delete_conversation, project, last, before)
    while (raw_events := _raw_events(project, before)).exists():
        yield partial(_delete_rows, project, raw_events)
    while (receipts := _receipts(project, before)).exists():
        yield partial(_delete_rows, project, receipts)


def _expired(project: Project, before: datetime) -> QuerySet[Conversation]:
    of_this = {"conversation": OuterRef("pk")}
    is_answered = Exists(Message.objects.filter(status__in=BEING_ANSWERED, **of_this))
    untouched = project.conversations.filter(updated_at__lt=before)
    return untouched.exclude(Q(kind=Conversation.Kind.CHAT) & is_answered)


def _raw_events(project: Project, before: datetime) -> QuerySet[RawEvent]:
    """Those of no conversation; the others go with theirs."""
    return project.raw_events.filter(conversation=None, received_at__lt=before)


def _receipts(project: Project, before: datetime) -> QuerySet[Receipt]:
    """Those from before the oldest conversation that is left.

    A receipt does not say of what it is. Of a conversation that is kept it must stay, or the
    repetition of an old event would be recorded twice.
    """
    oldest = project.conversations.aggregate(oldest=Min("created_at"))["oldest"]
    return Receipt.objects.filter(
        project=project, fingerprint=None, created_at__lt=min(before, oldest or before)
    )


@transactional
def _delete_conversation(project: Project, key: int, before: datetime) -> Gone:
    conversation = _expired(project, before).select_for_update().filter(pk=key).first()
    if conversation is None:
        return Counter()
    gone = Counter(delete_conversation(conversation))
    _note(project, gone)
    return gone


@transactional
def _delete_rows(project: Project, rows: QuerySet[RawEvent] | QuerySet[Receipt]) -> Gone:
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    count, _ = rows.model._default_manager.filter(pk__in=keys).delete()
    gone = Counter({str(rows.model._meta.verbose_name_plural): count})
    _note(project, gone)
    return gone


@transactional
def _note(project: Project, gone: Gone) -> None:
    """Keep account, for people to see; committed together with what it tells of."""
    now = timezone.now()
    days = RetentionDay.objects.select_for_update()
    today, _ = days.get_or_create(project=project, day=now.date(), defaults={"last_run_at": now})
    today.gone = Counter(today.gone) + gone
    today.last_run_at = now
    today.save(update_fields=["gone", "last_run_at"])
