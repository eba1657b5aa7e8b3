"""The totals of a project are those of its messages, whatever has come and gone."""

import random
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations import metrics
from conversations.changes import AddMessage, Delivery, StartConversation
from conversations.ingest.receive import receive
from conversations.models import Conversation, Message, Project, Total
from conversations.services import delete_conversation, record
from streaming.publish import transactional
from tests.clients import NOW, Json, said

FIGURES = {"tokens_used": 7, "input_tokens": 5, "output_tokens": 2, "cost": 0.1, "duration_ms": 40}
SUMS = ("messages", "input_tokens", "output_tokens", "total_tokens", "cost", "duration_ms")
KEY = ("project_id", "unit", "slot", "source", "agent_type", "model")


def counted() -> dict[Any, Any]:
    return {row[:6]: row[6:] for row in Total.objects.values_list(*KEY, *SUMS)}


def counted_anew() -> dict[Any, Any]:
    """The same from the messages themselves, added up by Python."""
    totals: dict[Any, list[Any]] = {}
    for message in Message.objects.select_related("conversation"):
        hour = message.timestamp.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        names = message.conversation.source, message.agent_type[:100], message.model[:100]
        figures = (
            1,
            message.input_tokens or 0,
            message.output_tokens or 0,
            message.total_tokens or 0,
            message.cost or Decimal(0),
            message.duration_ms or 0,
        )
        for unit, slot in (("hour", hour), ("day", hour.replace(hour=0))):
            sums = totals.setdefault((message.project_id, unit, slot, *names), [0] * 6)
            for place, figure in enumerate(figures):
                sums[place] += figure
    return {key: tuple(sums) for key, sums in totals.items()}


LARGEST = 2**63 - 1
numbers = st.none() | st.integers(0, 100) | st.just(LARGEST)
messages = st.builds(
    AddMessage,
    conversation_id=st.sampled_from(["s-1", "s-2", "s-3"]),
    may_open=st.just(True),
    message_id=st.sampled_from([f"m-{number}" for number in range(8)]) | st.none(),
    at=st.sampled_from([datetime(2026, 11, 21, hour, 30, tzinfo=UTC) for hour in (9, 10)]),
    agent_id=st.just("a-1"),
    agent_name=st.just("Ada"),
    agent_type=st.sampled_from(["claude", "x" * 120, ""]),
    agent_version=st.just(""),
    role=st.just("agent"),
    content=st.just("x"),
    sequence_number=st.none(),
    turn_number=st.none(),
    model=st.sampled_from(["", "opus"]),
    duration_ms=numbers,
    input_tokens=numbers,
    output_tokens=numbers,
    total_tokens=numbers,
    cost=st.none() | st.decimals(0, 10**15, places=12),
    metadata=st.just({}),
)
starts = st.builds(
    StartConversation,
    conversation_id=st.sampled_from(["s-1", "s-2", "s-3"]),
    at=st.just(datetime(2026, 11, 21, 9, tzinfo=UTC)),
    name=st.just("Tower"),
    mode=st.just(""),
    initial_prompt=st.just(""),
    max_turns=st.none(),
    # Whatever fills in a placeholder: its messages are counted already.
    source=st.sampled_from(["cli", "elsewhere"]),
    participants=st.just([]),
    metadata=st.just({}),
)
deletions = st.sampled_from(["s-1", "s-2", "s-3"])


@given(steps=st.lists(st.lists(messages | starts, min_size=1, max_size=5) | deletions, max_size=8))
@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_totals_are_those_of_the_messages_after_whatever_has_happened(
    project: Project, steps: list[Any]
) -> None:
    for step in steps:
        if isinstance(step, str):
            for conversation in Conversation.objects.filter(public_id=step):
                delete_conversation(conversation)
        else:
            record(project, [Delivery(change=change) for change in step])
        assert counted() == counted_anew()

    for conversation in Conversation.objects.all():
        delete_conversation(conversation)
    assert counted() == {}


def test_what_is_rolled_back_is_not_counted(project: Project) -> None:
    @transactional
    def fail() -> None:
        receive([{"type": "message.created", "data": said("s-1", "x")}], project=project)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert counted() == {}


def test_days_from_before_they_were_counted_are_counted_by_the_migration(project: Project) -> None:
    for number in range(5):
        message = said(f"s-{number % 2}", "x", **FIGURES, agent_type=str(number) * 60)
        event = {
            "type": "message.created",
            "data": message,
            "timestamp": (timezone.now() - timedelta(hours=8 * number)).isoformat(),
        }
        receive([event], project=project)
    expected = counted_anew()
    Total.objects.filter(unit="day").delete()

    migration = import_module("conversations.migrations.0011_totals_of_the_days_that_were")
    for _ in range(2):
        with connection.cursor() as cursor:
            cursor.execute(migration.COUNT_DAYS)
        assert counted() == expected


def together(*tasks: Callable[[], object]) -> list[BaseException]:
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(tasks))

    def run(task: Callable[[], object]) -> None:
        try:
            barrier.wait()
            task()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def in_hours(project: Project, name: str, hours: Sequence[int]) -> list[Message]:
    conversation = Conversation(project=project, public_id=name, source="cli")
    first = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Message(conversation=conversation, timestamp=first + timedelta(hours=hour), cost=Decimal(1))
        for hour in hours
    ]


def test_those_who_count_the_same_hours_in_other_orders_do_not_deadlock(project: Project) -> None:
    """Statements of many rows, that are sure to meet each other halfway."""
    hours = list(range(2000))
    count = transactional(metrics.count)

    def counter(number: int) -> Callable[[], None]:
        shuffled = random.Random(number).sample(hours, len(hours))
        messages = in_hours(project, f"s-{number}", shuffled)

        def count_all() -> None:
            for _ in range(3):
                count(project, messages)

        return count_all

    assert together(*[counter(number) for number in range(4)]) == []

    of_hours, of_days = (Total.objects.filter(unit=unit) for unit in ("hour", "day"))
    assert set(of_hours.values_list("messages", "cost")) == {(12, Decimal(12))}
    assert sum(of_days.values_list("messages", flat=True)) == 12 * len(hours)


def test_who_counts_keeps_nobody_waiting_before_the_end(project: Project) -> None:
    """A transaction that has counted and is not done; another, of the same hour, meanwhile."""
    has_counted, other_is_done = threading.Event(), threading.Event()

    def say(conversation: str) -> None:
        event = {"type": "message.created", "data": said(conversation, "x"), "timestamp": NOW}
        (answer,) = receive([event], project=project)
        assert answer.status == 201

    @transactional
    def slow() -> None:
        say("slow")
        has_counted.set()
        assert other_is_done.wait(60)

    def quick() -> None:
        assert has_counted.wait(60)
        say("quick")
        other_is_done.set()

    assert together(slow, quick) == []
    assert counted() == counted_anew()


def test_what_is_sent_and_deleted_at_the_same_time_is_counted_once(project: Project) -> None:
    def batch(conversation: str) -> list[Json]:
        return [
            {
                "type": "message.created",
                "data": said(conversation, "x", **FIGURES),
                "timestamp": f"2026-11-21T{hour:02}:30:00Z",
            }
            for hour in range(24)
        ]

    def sender(number: int) -> Callable[[], None]:
        def send() -> None:
            for turn in range(5):
                answers = receive(batch(f"s-{number}-{turn}"), project=project)
                assert {answer.status for answer in answers} == {201}

        return send

    def remover(name: str) -> Callable[[], object]:
        return lambda: delete_conversation(Conversation.objects.get(public_id=name))

    doomed = [f"doomed-{number}" for number in range(4)]
    for name in doomed:
        receive(batch(name), project=project)

    removers = [remover(name) for name in doomed]
    assert together(*[sender(number) for number in range(4)], *removers) == []

    assert Message.objects.count() == 4 * 5 * 24
    assert counted() == counted_anew()


def test_sums_keep_all_their_digits(project: Project) -> None:
    messages = in_hours(project, "s-1", [0] * 30)
    for message in messages:
        message.cost = Decimal("999999999999999.999999999999")
        message.total_tokens = LARGEST

    transactional(metrics.count)(project, messages)

    (cost,) = set(Total.objects.values_list("cost", flat=True))
    assert cost == Decimal("29999999999999999.999999999970")
    found = metrics.summary(project, reach="all", now=timezone.now())
    assert found.totals.cost == Decimal("29999999999999999.999999999970")
    assert found.totals.total_tokens == 30 * LARGEST
