"""Promises of the log: what is published is committed with its change, numbered and in order."""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction

from conversations.models import Project
from streaming import log
from streaming.copying import MANY
from streaming.errors import EventsTrimmed, PublishedOutsideTransaction
from streaming.events import Event
from streaming.publish import publish, transactional, when_told, write_last
from tests.streaming.lab import Happened, numbers, tell

pytestmark = pytest.mark.django_db(transaction=True)


def in_thread(work: Callable[[], None]) -> Callable[[], None]:
    """The work, with its thread's connection given back."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    return run


def test_no_event_without_its_change_and_no_change_without_its_event() -> None:
    @transactional
    def change_and_tell(slug: str, *, fails: bool) -> None:
        Project.objects.create(slug=slug)
        publish(Happened(number=1), "lab:1")
        if fails:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_and_tell("lost", fails=True)
    change_and_tell("kept", fails=False)

    assert list(Project.objects.values_list("slug", flat=True)) == ["kept"]
    assert numbers(log.read_after("lab:1", 0)) == [1]


def test_publishing_outside_a_transaction_is_an_error() -> None:
    with pytest.raises(PublishedOutsideTransaction):
        publish(Happened(number=1), "lab:1")
    with pytest.raises(PublishedOutsideTransaction):
        when_told(lambda events: None)
    with pytest.raises(PublishedOutsideTransaction):
        write_last(("SELECT 1", []))


@pytest.mark.parametrize("events", [0, 1, MANY + 1])
def test_what_is_to_be_last_is_written_when_all_else_is(events: int) -> None:
    name = "UPDATE conversations_project SET name = slug WHERE slug = %s"

    @transactional
    def make(slug: str) -> None:
        write_last((name, [slug]))
        Project.objects.create(slug=slug)
        for number in range(events):
            publish(Happened(number=number), "lab:1")

    @transactional
    def make_two() -> None:
        make("inner")
        make("outer")
        with pytest.raises(InterruptedError):
            give_up()

    @transactional
    def give_up() -> None:
        write_last((name, ["tower"]))
        raise InterruptedError

    Project.objects.create(slug="tower")
    make_two()

    named = dict(Project.objects.values_list("slug", "name"))
    assert named == {"tower": "", "inner": "inner", "outer": "outer"}
    assert len(log.read_after("lab:1", 0)) == 2 * events


def test_who_asks_hears_the_numbers_before_the_commit() -> None:
    heard: list[Event] = []

    def hear(events: Sequence[Event]) -> None:
        heard.extend(events)
        if len(events) > 2:
            raise RuntimeError

    @transactional
    def inner() -> None:
        publish(Happened(number=2), "lab:1")
        when_told(hear)

    @transactional
    def tell_all(more: int) -> None:
        publish(Happened(number=1), "lab:1")
        inner()
        for _ in range(more):
            publish(Happened(number=3), "lab:1")

    tell_all(0)
    assert heard == log.read_after("lab:1", 0)
    with pytest.raises(RuntimeError):
        tell_all(1)
    assert numbers(log.read_after("lab:1", 0)) == [1, 2]


@pytest.mark.parametrize("count", [2, MANY + 1])
def test_each_topic_has_what_it_was_told_in_order(count: int) -> None:
    heard: list[Event] = []

    @transactional
    def tell_some() -> None:
        when_told(heard.extend)
        for number in range(count):
            is_last = number == count - 1
            happened = Happened(
                number=number,
                subject=f"{number}\t\\N\n",
                padding="\\.\n\t",
                is_final=is_last,
            )
            publish(happened, "lab:1", *(["lab:2"] if is_last or number % 2 else []))

    tell("lab:2", numbers=range(1))
    tell_some()

    kept = log.read_after("lab:1", 0) + log.read_after("lab:2", 1)
    assert sorted(heard, key=lambda event: event.topic) == kept
    assert len(kept) > count
    assert log.span("lab:1").has_ended
    assert log.span("lab:2").last_id == kept[-1].id


def test_a_change_whose_events_cannot_be_written_is_not_made() -> None:
    @transactional
    def change_and_tell() -> None:
        Project.objects.create(slug="half")
        publish(Happened(number=1, kind="k" * 200), "lab:1")

    with pytest.raises(Exception, match="too long"):
        change_and_tell()

    assert not Project.objects.exists()


# Few are written in one statement, many by COPY.
@pytest.mark.parametrize("together", [1, MANY + 1])
def test_numbers_have_no_holes_and_follow_the_order_of_commits(together: int) -> None:
    writers, each = 8, 25 if together == 1 else 5
    is_over = threading.Event()
    seen: list[int] = []

    def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(each):
            try:
                with transaction.atomic():
                    tell("lab:1", numbers=range(together))
                    if chance.random() < 0.3:
                        raise InterruptedError
            except InterruptedError:
                pass
        connection.close()

    def read() -> None:
        while True:
            was_over = is_over.is_set()
            seen.extend(numbers(log.read_after("lab:1", len(seen))))
            if was_over:
                return

    with ThreadPoolExecutor(writers + 1) as pool:
        reading = pool.submit(in_thread(read))
        list(pool.map(write, range(writers)))
        is_over.set()
        reading.result()

    assert len(seen) > writers
    assert seen == list(range(1, log.span("lab:1").last + 1))


@pytest.mark.parametrize("together", [1, MANY + 1])
def test_a_number_is_not_seen_before_a_lower_one_that_commits_later(together: int) -> None:
    has_appended, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            tell("lab:1", numbers=range(together))
            has_appended.set()
            may_commit.wait(150)

    def fast() -> None:
        has_appended.wait(150)
        tell("lab:1", numbers=range(together))

    with ThreadPoolExecutor(2) as pool:
        slow_one, fast_one = pool.submit(in_thread(slow)), pool.submit(in_thread(fast))
        has_appended.wait(150)
        assert numbers(log.read_after("lab:1", 0)) == []
        assert not fast_one.done()
        may_commit.set()
        slow_one.result(10)
        fast_one.result(10)

    assert numbers(log.read_after("lab:1", 0)) == list(range(1, 2 * together + 1))


def test_events_are_appended_last_and_in_topic_order_so_that_nothing_deadlocks() -> None:
    both_ready = threading.Barrier(2)
    rounds = 40
    # Many, so that two transactions have the time to meet in the middle.
    topics = [f"lab:{number}" for number in range(100)]

    def write(topics: list[str]) -> int:
        @transactional
        def tell_one_after_the_other() -> None:
            for number, topic in enumerate(topics):
                publish(Happened(number=number), topic)

        deadlocks = 0
        for _ in range(rounds):
            both_ready.wait(150)
            try:
                tell_one_after_the_other()
            except OperationalError:
                deadlocks += 1
        connection.close()
        return deadlocks

    with ThreadPoolExecutor(2) as pool:
        deadlocks = sum(pool.map(write, [topics, topics[::-1]]))

    assert deadlocks == 0
    assert {span.last for span in log.spans(topics).values()} == {2 * rounds}


def test_the_order_of_publishing_is_kept_within_a_topic() -> None:
    @transactional
    def tell_in_order() -> None:
        for number in range(5):
            publish(Happened(number=number), "lab:2", "lab:1")

    tell_in_order()

    for topic in ("lab:1", "lab:2"):
        payloads = [event.payload for event in log.read_after(topic, 0)]
        assert [f'"number":{number}' in payload for number, payload in enumerate(payloads)] == [
            True
        ] * 5


def test_an_inner_failure_that_is_caught_takes_its_events_back_too() -> None:
    @transactional
    def inner() -> None:
        Project.objects.create(slug="inner")
        publish(Happened(number=2), "lab:1")
        raise InterruptedError

    @transactional
    def outer() -> None:
        publish(Happened(number=1), "lab:1")
        try:
            inner()
        except InterruptedError:
            Project.objects.create(slug="outer")
        publish(Happened(number=3), "lab:1")

    outer()

    told = [event.payload for event in log.read_after("lab:1", 0)]
    assert [payload[17:18] for payload in told] == ["1", "3"], told
    assert list(Project.objects.values_list("slug", flat=True)) == ["outer"]


def test_one_body_serves_all_its_topics() -> None:
    tell("lab:1", "lab:2", numbers=range(3))

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM streaming_eventbody")
        assert cursor.fetchone() == (3,)
    assert numbers(log.read_after("lab:1", 0)) == numbers(log.read_after("lab:2", 0)) == [1, 2, 3]


def test_reading_before_the_oldest_or_beyond_the_last_is_said() -> None:
    tell("lab:1", numbers=range(3))

    with pytest.raises(EventsTrimmed):
        log.read_after("lab:1", 4)
    with pytest.raises(EventsTrimmed):
        log.read_after("lab:never-told", 1)
    assert log.read_after("lab:1", 3) == []
