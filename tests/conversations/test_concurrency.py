"""Many writers at once: nothing is lost, doubled or counted wrong."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TypeVar
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction

from conversations.ingest.dispatch import Answer
from conversations.ingest.receive import receive
from conversations.models import (
    Conversation,
    Message,
    Project,
    RawEvent,
    Receipt,
    Total,
    Unindexed,
)
from conversations.services import delete_conversation
from streaming.log import read_after
from tests.clients import NOW, Json, opened, said, started, told

WRITERS = 16
T = TypeVar("T")


def together(*deeds: Callable[[], T]) -> list[T]:
    """Do all of this at the same moment, each in a thread of its own."""
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[], T]) -> T:
        try:
            gate.wait(60)
            return deed()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(run, deeds))


def sending(project: Project, *events: Json, key: str | None = None) -> Callable[[], list[Answer]]:
    return lambda: [
        receive([event], project=project, idempotency_keys=[key])[0] for event in events
    ]


def event(kind: str, data: Json, at: str | None = None) -> Json:
    return {"type": kind, "data": data, "timestamp": at}


def message(conversation: str, number: int, **data: object) -> Json:
    return event("message.created", said(conversation, f"line {number}", **data))


@pytest.fixture(params=range(3))
def _again(request: pytest.FixtureRequest) -> None:
    """A race that goes wrong once in a while has three chances to do so."""


def test_totals_are_exact_under_many_writers(project: Project) -> None:
    metrics = {"tokens_used": 7, "cost": 0.000001, "duration_ms": 3}

    def writer(index: int) -> Callable[[], list[Answer]]:
        return sending(project, *(message("s-1", index, **metrics) for _ in range(10)))

    answers = together(*map(writer, range(WRITERS)))

    found = Conversation.objects.get()
    count = WRITERS * 10
    assert {answer.status for some in answers for answer in some} == {201}
    assert found.total_messages == found.messages.count() == count
    assert found.total_tokens == Decimal(7 * count)
    assert found.total_duration_ms == Decimal(3 * count)
    assert found.total_cost == Decimal("0.000001") * count
    numbers = found.messages.values_list("sequence_number", flat=True)
    assert sorted(numbers) == list(range(1, count + 1))


def test_batches_that_cross_each_other_all_arrive(project: Project) -> None:
    def batch(index: int) -> Callable[[], list[Answer]]:
        events = [message(f"s-{number}", index, tokens_used=1) for number in range(6)]
        random.Random(index).shuffle(events)
        return lambda: receive(events, project=project)

    answers = together(*map(batch, range(WRITERS)))

    assert {answer.status for some in answers for answer in some} == {201}
    totals = Conversation.objects.values_list("total_messages", "total_tokens")
    assert list(totals) == [(WRITERS, Decimal(WRITERS))] * 6


@pytest.mark.usefixtures("_again")
def test_the_same_batch_racing_is_recorded_once(project: Project) -> None:
    """Of greetings, which belong to no conversation: only their receipts hold them apart."""
    batch = [event("bridge.greeting", {"number": number}, at=NOW) for number in range(50)]

    answers = together(*[lambda: receive(batch, project=project)] * 4)

    assert {answer.status for answered in answers for answer in answered} == {200}
    assert RawEvent.objects.count() == Receipt.objects.count() == 50


def test_one_message_id_racing_into_two_conversations_is_one_message(project: Project) -> None:
    deeds = [
        sending(project, message(f"s-{index % 2}", index, message_id="m-1"))
        for index in range(WRITERS)
    ]
    answers = together(*deeds)

    assert {(answer.status, answer.body["message_id"]) for [answer] in answers} == {(201, "m-1")}
    assert Message.objects.count() == 1
    assert sum(Conversation.objects.values_list("total_messages", flat=True)) == 1


@pytest.mark.usefixtures("_again")
def test_the_same_messages_racing_in_opposite_orders_into_two_conversations_are_recorded_once(
    project: Project,
) -> None:
    """The unique index locks them in two orders: one of the two deadlocks, and tries again."""
    ids = [f"m-{number:03}" for number in range(200)]

    def batch(conversation: str, order: list[str]) -> Callable[[], list[Answer]]:
        events = [message(conversation, number, message_id=id_) for number, id_ in enumerate(order)]
        return lambda: receive(events, project=project)

    answers = together(batch("s-1", ids), batch("s-2", ids[::-1]))

    assert {answer.status for some in answers for answer in some} == {201}
    assert sorted(Message.objects.values_list("public_id", flat=True)) == ids
    counted = Conversation.objects.values_list("total_messages", flat=True)
    assert sum(counted) == len(ids)


def test_the_same_start_racing_is_one_conversation(project: Project) -> None:
    start = event("conversation.started", started("s-1"))
    answers = together(*[sending(project, start)] * WRITERS)

    conversation = Conversation.objects.get()
    assert {answer.status for [answer] in answers} == {201}
    assert conversation.participants.count() == 1
    assert [told.kind for told in read_after(conversation.topic, 0)] == ["conversation.started"]


@pytest.mark.usefixtures("_again")
def test_a_start_racing_with_its_messages_is_one_conversation(project: Project) -> None:
    start = event("conversation.started", started("s-1"))
    deeds = [sending(project, message("s-1", index)) for index in range(WRITERS - 1)]
    together(sending(project, start), *deeds)

    found = Conversation.objects.get()
    assert (found.awaits_start, found.initial_prompt) == (False, "Design a tower")
    assert (found.total_messages, found.participants.count()) == (WRITERS - 1, 1)


@pytest.mark.usefixtures("_again")
def test_the_same_idempotency_key_racing_is_one_delivery(project: Project) -> None:
    start = event("conversation.started", opened())
    answers = together(*[sending(project, start, key="k-1")] * WRITERS)

    conversation = Conversation.objects.get()
    assert {answer.body["conversationId"] for [answer] in answers} == {conversation.public_id}
    assert Receipt.objects.count() == 1


def test_one_idempotency_key_racing_for_two_bodies_is_one_of_them(project: Project) -> None:
    starts = [event("conversation.started", opened(name=name)) for name in ("Ada", "Bob")]
    deeds = [sending(project, starts[index % 2], key="k-1") for index in range(WRITERS)]
    answers = together(*deeds)

    statuses = sorted(answer.status for [answer] in answers)
    assert statuses == [201] * (WRITERS // 2) + [422] * (WRITERS // 2)
    assert Conversation.objects.count() == 1


def test_the_same_camel_case_message_racing_is_one_message(project: Project) -> None:
    [answer] = receive([event("conversation.started", opened())], project=project)
    conversation = answer.body["conversationId"]
    say = event("message.created", told(conversation, "Steel", metrics={"totalTokens": 5}), NOW)
    answers = together(*[sending(project, say)] * WRITERS)

    found = Conversation.objects.get()
    assert len({answer.body["messageId"] for [answer] in answers}) == 1
    assert (found.total_messages, int(found.total_tokens)) == (1, 5)


@pytest.mark.usefixtures("_again")
def test_a_session_sent_from_many_threads_is_whole(project: Project) -> None:
    conversation = str(uuid4())
    messages = [
        message(conversation, number, sequence_number=number, tokens_used=10, cost=0.01)
        for number in range(1, 21)
    ]
    end = {"conversation_id": conversation, "status": "completed", "total_messages": 22}
    events = [
        event("conversation.started", started(conversation), NOW),
        *messages,
        *messages[::5],
        event("conversation.completed", end, NOW),
    ]
    random.shuffle(events)
    together(*(sending(project, one) for one in events))

    found = Conversation.objects.get()
    stored = list(found.messages.values_list("sequence_number", "content"))
    assert stored == [(number, f"line {number}") for number in range(1, 21)]
    assert (found.status, found.total_messages, int(found.total_tokens)) == ("COMPLETED", 20, 200)
    assert found.total_cost == Decimal("0.2")
    assert (found.awaits_start, found.participants.count()) == (False, 1)
    kinds = [told.kind for told in read_after(found.topic, 0)]
    assert sorted(kinds) == sorted(
        ["conversation.started", "conversation.completed", *["message.created"] * 20]
    )


def test_others_are_recorded_while_a_conversation_is_being_deleted(project: Project) -> None:
    """Also where they are counted in the same hour: a long conversation takes its time."""
    receive([message(name, 1) | {"timestamp": NOW} for name in ("long", "other")], project=project)
    going = Conversation.objects.get(public_id="long")
    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            # Holds the deletion up among the messages.
            held = Message.objects.select_for_update().get(conversation=going)
            deletion = threads.submit(closing(lambda: delete_conversation(going)))
            wait_until(is_anyone_waiting_for_us)
            said_meanwhile = message("other", 2) | {"timestamp": NOW}
            recording = threads.submit(closing(lambda: receive([said_meanwhile], project=project)))
            assert recording.result(timeout=60)[0].status == 201
            assert not deletion.done()
        assert deletion.result(timeout=60)["messages"] == 1

    assert not Message.objects.filter(pk=held.pk).exists()
    assert list(Total.objects.values_list("messages", flat=True)) == [2, 2]


def test_what_comes_while_its_conversation_goes_leaves_no_row_behind(project: Project) -> None:
    """No constraint looks after messages: whoever writes one holds its conversation."""
    receive([message("s-1", 1)], project=project)
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            delete_conversation(Conversation.objects.get())
            late = threads.submit(closing(lambda: receive([message("s-1", 2)], project=project)))
            wait_until(is_anyone_waiting_for_us)
        [answer] = late.result(timeout=60)

    assert answer.status == 201
    assert not Message.objects.exists()
    assert not Unindexed.objects.exists()


def closing(deed: Callable[[], T]) -> Callable[[], T]:
    def run() -> T:
        try:
            return deed()
        finally:
            connections.close_all()

    return run


def is_anyone_waiting_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
