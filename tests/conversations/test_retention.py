"""A project keeps what was touched within its days; the rest goes, and it is said what went."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone
from procrastinate.contrib.django import app
from structlog.testing import capture_logs

from conversations import retention, services
from conversations.ingest.receive import receive
from conversations.models import (
    Conversation,
    DeletedConversation,
    IngestJob,
    Message,
    Participant,
    Project,
    RawEvent,
    Receipt,
    RetentionDay,
    Total,
)
from conversations.retention import delete_expired
from conversations.tasks import delete_what_expired
from tests.clients import NOW, Json, said, started


@pytest.fixture
def month(project: Project) -> Project:
    project.retention_days = 30
    project.save()
    return project


def record(project: Project, name: str, *, age_days: float, messages: int = 2) -> Conversation:
    """A conversation that was last touched so long ago."""
    entry = {"conversation_id": name, "level": "system", "content": "built"}
    lines = [
        {"type": "message.created", "data": said(name, f"line {number}")}
        for number in range(messages)
    ]
    send(
        project,
        {"type": "conversation.started", "data": started(name)},
        *lines,
        {"type": "log.entry", "data": entry},
    )
    age(Conversation, age_days, "created_at", "updated_at", public_id=name)
    return Conversation.objects.get(public_id=name)


def send(project: Project, *events: Json) -> None:
    assert {answer.status for answer in receive(list(events), project=project)} <= {200, 201}


def age(model: Any, days: float, *fields: str, **which: Any) -> None:
    then = timezone.now() - timedelta(days=days)
    assert model.objects.filter(**which).update(**dict.fromkeys(fields, then))


def names() -> list[str]:
    return sorted(Conversation.objects.values_list("public_id", flat=True))


def test_what_was_not_touched_for_so_long_goes_and_leaves_nothing(month: Project) -> None:
    record(month, "old", age_days=31, messages=3)
    record(month, "young", age_days=29)

    gone = delete_expired(month)

    assert names() == ["young"]
    assert (gone["conversations"], gone["messages"], gone["participants"]) == (1, 3, 1)
    assert gone["events"] == 1
    for model in (Message, Participant, RawEvent):
        assert not model.objects.exclude(conversation__public_id="young").exists()
    assert sum(Total.objects.filter(unit="day").values_list("messages", flat=True)) == 2
    assert DeletedConversation.objects.get().public_id == "old"


def test_what_comes_late_for_an_expired_conversation_is_dropped(month: Project) -> None:
    record(month, "old", age_days=31)
    delete_expired(month)

    send(month, {"type": "message.created", "data": said("old", "Still here?")})

    assert names() == []
    assert not Message.objects.exists()


def test_a_project_without_days_keeps_everything(project: Project) -> None:
    record(project, "old", age_days=10_000)

    run_the_job()

    assert names() == ["old"]


@pytest.mark.parametrize("status", Conversation.Status.values)
def test_finished_or_not_makes_no_difference(month: Project, status: str) -> None:
    record(month, "old", age_days=31)
    Conversation.objects.update(status=status)

    delete_expired(month)

    assert names() == []


def test_a_word_in_time_keeps_a_conversation(month: Project) -> None:
    record(month, "old", age_days=31)
    send(month, {"type": "message.created", "data": said("old", "Still here?")})

    assert not delete_expired(month)

    assert names() == ["old"]


def test_one_that_is_touched_while_its_turn_comes_stays(
    month: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("s-1", "s-2"):
        record(month, name, age_days=31)
    delete = services.delete_conversation

    def deleting(conversation: Conversation) -> dict[str, int]:
        send(month, {"type": "message.created", "data": said("s-2", "Wait!")})
        return delete(conversation)

    monkeypatch.setattr("conversations.retention.delete_conversation", deleting)
    delete_expired(month)

    assert names() == ["s-2"]


@pytest.mark.parametrize("status", ["queued", "running"])
def test_nothing_goes_while_a_file_is_being_imported(month: Project, status: str) -> None:
    record(month, "old", age_days=31)
    job = IngestJob.objects.create(project=month, status=status)

    assert not delete_expired(month)
    assert names() == ["old"]

    job.status = IngestJob.Status.COMPLETED
    job.save()
    delete_expired(month)
    assert names() == []


@pytest.mark.parametrize("status", ["pending", "processing"])
def test_a_chat_whose_answer_is_being_written_stays(month: Project, status: str) -> None:
    record(month, "chat", age_days=31)
    Conversation.objects.update(kind=Conversation.Kind.CHAT)
    Message.objects.filter(pk=Message.objects.latest("pk").pk).update(status=status)

    delete_expired(month)
    assert names() == ["chat"]

    Message.objects.update(status="completed")
    delete_expired(month)
    assert names() == []


def test_events_of_no_conversation_go_when_they_are_as_old(month: Project) -> None:
    for number in range(3):
        greeting = {"system_info": {"number": number}}
        send(month, {"type": "bridge.connected", "data": greeting})
    oldest = RawEvent.objects.earliest("pk")
    age(RawEvent, 31, "received_at", pk=oldest.pk)

    gone = delete_expired(month)

    assert gone == {"raw events": 1}
    assert RawEvent.objects.count() == 2
    assert not RawEvent.objects.filter(pk=oldest.pk).exists()


def unnamed(name: str) -> Json:
    """A message without an id, which only its receipt can tell from another."""
    data = {"conversation_id": name, "content": "I have no id"}
    return {"type": "message.created", "data": data, "timestamp": "2026-11-21T10:00:00Z"}


def test_a_receipt_stays_as_long_as_it_may_be_of_what_is_kept(month: Project) -> None:
    """Or the repetition of an old event would be recorded twice."""
    for name, days in (("gone", 95), ("kept", 90)):
        send(month, unnamed(name))
        age(Conversation, days, "created_at", "updated_at", public_id=name)
        age(Receipt, days, "created_at", pk=Receipt.objects.latest("pk").pk)
    age(Conversation, 1, "updated_at", public_id="kept")

    gone = delete_expired(month)
    send(month, unnamed("kept"))

    assert (gone["conversations"], gone["receipts"]) == (1, 1)
    assert Message.objects.count() == 1


def test_one_project_does_not_clean_another(month: Project) -> None:
    other = Project.objects.create(slug="bridge", retention_days=1000)
    record(other, "theirs", age_days=31)
    send(other, {"type": "bridge.connected", "data": {}, "timestamp": NOW})
    age(RawEvent, 31, "received_at", conversation=None)
    age(Receipt, 31, "created_at")

    assert not delete_expired(month)

    assert names() == ["theirs"]
    assert RawEvent.objects.filter(conversation=None).exists()
    assert Receipt.objects.exists()


# How it is run, and seen


def run_the_job() -> list[Any]:
    context: Any = SimpleNamespace(should_abort=lambda: False)
    with capture_logs() as lines:
        delete_what_expired.func(context, timestamp=0)
    return lines


def test_the_job_says_what_went_in_the_log_and_in_an_account_of_the_day(month: Project) -> None:
    record(month, "one", age_days=31)
    assert [line["event"] for line in run_the_job()] == ["retention.deleted"]
    record(month, "two", age_days=31)
    [line] = run_the_job()

    assert (line["project"], line["conversations"], line["messages"]) == ("tower", 1, 2)
    day = RetentionDay.objects.get()
    assert day.project == month
    assert (day.gone["conversations"], day.gone["messages"]) == (2, 4)
    before = day.last_run_at

    assert run_the_job() == []
    day.refresh_from_db()
    assert day.last_run_at > before
    assert day.gone["conversations"] == 2


def test_the_job_is_run_every_hour() -> None:
    crons = {job.task.name: job.cron for job in app.periodic_registry.periodic_tasks.values()}
    assert crons["conversations.tasks.delete_what_expired"] == "29 * * * *"


def test_a_worker_that_stops_is_not_kept_waiting_and_loses_no_account(month: Project) -> None:
    for number in range(4):
        record(month, f"s-{number}", age_days=31)
    asked = iter([False, False, True])

    gone = delete_expired(month, should_stop=lambda: next(asked))

    assert gone["conversations"] == 2
    assert names() == ["s-2", "s-3"]
    assert RetentionDay.objects.get().gone["conversations"] == 2


def test_one_that_fails_takes_back_its_own_and_not_what_went_before(
    month: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        record(month, f"s-{number}", age_days=31)
    delete = services.delete_conversation

    def deleting(conversation: Conversation) -> dict[str, int]:
        gone = delete(conversation)
        if conversation.public_id == "s-1":
            raise ZeroDivisionError
        return gone

    monkeypatch.setattr("conversations.retention.delete_conversation", deleting)
    with pytest.raises(ZeroDivisionError):
        delete_expired(month)

    assert names() == ["s-1", "s-2"]
    assert RetentionDay.objects.get().gone["conversations"] == 1


def test_more_than_one_handful_goes_in_one_run(
    month: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for _ in range(5):
        record(month, str(uuid4()), age_days=31, messages=0)
        send(month, {"type": "bridge.connected", "data": {"mark": str(uuid4())}})
    age(RawEvent, 31, "received_at", conversation=None)

    gone = delete_expired(month)

    assert (gone["conversations"], gone["raw events"]) == (5, 5)


@pytest.mark.parametrize("days", [0, 36_501, 2_147_483_647])
def test_days_that_nobody_could_mean_are_refused(project: Project, days: int) -> None:
    project.retention_days = days
    with pytest.raises(ValidationError):
        project.full_clean()
    with pytest.raises(IntegrityError):
        project.save()
