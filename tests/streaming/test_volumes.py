"""The log in volumes of a week: opened ahead, read as one, dropped whole."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from streaming import hub, keys, log, tasks, volumes
from streaming.asking import in_database
from streaming.errors import EventsTrimmed
from streaming.follow import Truncated
from streaming.models import Entry, EventBody, Topic
from tests.streaming.lab import collect, follow, numbers, tell
from tests.streaming.weeks import drop_weeks

pytestmark = pytest.mark.django_db(transaction=True)
MONTH = timedelta(days=30)
NOW = timezone.now()


class Clock(threading.local):
    """What time it is; for each thread another, as for servers whose clocks differ."""

    weeks = 0.0

    def now(self) -> datetime:
        return NOW + self.weeks * keys.WEEK


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock.now)
    return clock


@pytest.fixture
def opened(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """There are volumes for some of the last weeks and for this one."""
    monkeypatch.setattr(volumes, "WEEKS_AHEAD", 0)
    for clock.weeks in (-6, -4, -2, 0):
        volumes.open_ahead()
    yield
    drop_weeks()


@pytest.fixture
def closed() -> Iterator[None]:
    yield
    drop_weeks()


def tell_in(clock: Clock, weeks: float, *topics: str, count: int = 3) -> None:
    clock.weeks = weeks
    tell(*topics, numbers=range(count))
    clock.weeks = 0


def tables_with_rows() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tableoid::regclass::text FROM streaming_entry UNION"
            " SELECT DISTINCT tableoid::regclass::text FROM streaming_eventbody ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall()]


def each_in_its_thread(*works: Callable[[], None]) -> None:
    def run(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as threads:
        for done in [threads.submit(run, work) for work in works]:
            done.result(60)


def test_a_volume_is_opened_weeks_before_it_is_needed_and_once(closed: None) -> None:
    opened: list[list[str]] = []
    each_in_its_thread(*[lambda: opened.append(volumes.open_ahead())] * 3)

    names = [volume.name for volume in volumes.all_volumes() if volume.is_whole_week]
    this_week = keys.week_of(NOW)
    expected = [this_week + ahead * keys.WEEK for ahead in range(volumes.WEEKS_AHEAD + 1)]
    assert names == [f"{week:%Y%m%d}" for week in expected]
    assert sorted(name for some in opened for name in some) == names
    assert volumes.open_ahead() == []


def test_what_was_told_before_its_volume_was_opened_moves_there(closed: None) -> None:
    tell("lab:1", "lab:2", numbers=range(3))
    before = log.read_after("lab:1", 0)
    assert tables_with_rows() == ["streaming_entry_default", "streaming_eventbody_default"]

    tasks.open_volumes(0)
    tell("lab:1", numbers=range(2))

    week = f"{keys.week_of(NOW):%Y%m%d}"
    assert tables_with_rows() == [f"streaming_entry_{week}", f"streaming_eventbody_{week}"]
    assert log.read_after("lab:1", 0)[:3] == before
    assert numbers(log.read_after("lab:1", 0)) == [1, 2, 3, 4, 5]


def test_nothing_is_refused_while_the_volume_of_now_is_opened(closed: None) -> None:
    is_open = threading.Event()
    told: list[int] = []

    def write(topic: str) -> None:
        while not is_open.is_set() or len(told) < 40:
            tell(topic, "lab:all", numbers=range(1))
            told.append(1)

    def open_meanwhile() -> None:
        try:
            while len(told) < 10:
                is_open.wait(0.01)
            while not volumes.open_ahead():
                pass
        finally:
            is_open.set()

    each_in_its_thread(lambda: write("lab:1"), lambda: write("lab:2"), open_meanwhile)

    assert numbers(log.read_after("lab:all", 0)) == list(range(1, len(told) + 1))


def test_a_topic_is_read_across_volumes_as_if_there_were_one(opened: None, clock: Clock) -> None:
    for weeks in (-6, -4, -3, 0):
        tell_in(clock, weeks, "lab:1")

    assert len(tables_with_rows()) == 8
    for after in range(13):
        for limit in (1, 4, 500):
            found = numbers(log.read_after("lab:1", after, limit=limit))
            assert found == list(range(after + 1, 13))[:limit]
    assert log.span("lab:1").last_id == log.read_after("lab:1", 11)[0].id


def test_clocks_that_differ_lose_nothing_and_double_nothing(opened: None, clock: Clock) -> None:
    """Servers whose clocks differ number events in an order that is not that of volumes."""
    clocks = [-2, -1, 0, 40]
    each = 15

    def write(weeks: float) -> None:
        clock.weeks = weeks
        for _ in range(each):
            tell("lab:1", "lab:2", numbers=range(2))

    each_in_its_thread(*[lambda weeks=weeks: write(weeks) for weeks in clocks])

    count = 2 * each * len(clocks)
    for topic in ("lab:1", "lab:2"):
        assert numbers(log.read_after(topic, 0)) == list(range(1, count + 1))
        for after in range(0, count, 7):
            assert numbers(log.read_after(topic, after, limit=1)) == [after + 1]
    assert EventBody.objects.values("pk").distinct().count() == count


def test_a_number_cannot_be_in_a_volume_twice(opened: None, clock: Clock) -> None:
    tell_in(clock, 0, "lab:1")
    entry = Entry.objects.first()
    assert entry is not None

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO streaming_entry (topic_id, seq, body_id) VALUES (%s, %s, %s)",
            [entry.topic_id, entry.seq, entry.body_id],
        )


def test_what_an_older_version_adds_meanwhile_is_read_too(opened: None, clock: Clock) -> None:
    """It knows no volumes: its keys are counted from 1, and no topic says where they are."""
    tell_in(clock, 0, "lab:1")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE streaming_topic SET last_seq = 5 WHERE name = 'lab:1'")
        cursor.execute(
            "INSERT INTO streaming_eventbody SELECT 40 + n, kind, subject, payload, occurred_at,"
            " recorded_at, tag, is_final FROM generate_series(1, 2) n,"
            " (SELECT * FROM streaming_eventbody LIMIT 1) b"
        )
        cursor.execute(
            "INSERT INTO streaming_entry (topic_id, seq, body_id)"
            " SELECT id, 3 + n, 40 + n FROM generate_series(1, 2) n, streaming_topic"
        )
    tell_in(clock, 0, "lab:1", count=1)

    for after in range(7):
        assert numbers(log.read_after("lab:1", after)) == list(range(after + 1, 7))


def test_a_volume_is_dropped_when_all_of_it_is_too_old(opened: None, clock: Clock) -> None:
    tell_in(clock, -6, "lab:1", "lab:2")
    tell_in(clock, -6, "lab:3")
    tell_in(clock, -2, "lab:1")
    volume = f"{keys.week_of(NOW - 6 * keys.WEEK):%Y%m%d}"

    assert dict(volumes.drop_older(MONTH))[volume] == 9

    assert volume not in {left.name for left in volumes.all_volumes()}
    assert log.span("lab:1").first == 4
    assert numbers(log.read_after("lab:1", 3)) == [4, 5, 6]
    with pytest.raises(EventsTrimmed) as trimmed:
        log.read_after("lab:1", 1)
    assert trimmed.value.oldest == 4
    assert log.read_after("lab:2", 3) == []
    tell_in(clock, 0, "lab:2", count=1)
    assert numbers(log.read_after("lab:2", 3)) == [4]


def test_what_is_dropped_while_it_is_read_is_said(
    opened: None, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_in(clock, -6, "lab:1")
    tell_in(clock, 0, "lab:1")
    look = log._standing

    def look_and_drop(topic: str) -> log._Standing:
        found = look(topic)
        list(volumes.drop_older(MONTH))
        return found

    monkeypatch.setattr(log, "_standing", look_and_drop)
    with pytest.raises(EventsTrimmed) as trimmed:
        log.read_after("lab:1", 1)
    assert trimmed.value.oldest == 4


def test_a_volume_of_which_something_is_young_enough_stays(opened: None, clock: Clock) -> None:
    tell_in(clock, -4, "lab:1")
    clock.weeks = 0
    young = keys.week_of(NOW - 4 * keys.WEEK) + keys.WEEK

    clock.weeks = (young + MONTH - NOW - timedelta(seconds=1)) / keys.WEEK
    list(volumes.drop_older(MONTH))
    assert numbers(log.read_after("lab:1", 0)) == [1, 2, 3]

    clock.weeks = (young + MONTH - NOW) / keys.WEEK
    list(volumes.drop_older(MONTH))
    assert log.span("lab:1").first == 4


def test_whoever_reads_for_long_keeps_nobody_waiting(
    opened: None, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "PATIENCE_MS", 20)
    tell_in(clock, -6, "lab:1")
    may_end, reads = threading.Event(), threading.Event()

    def read() -> None:
        with transaction.atomic():
            log.read_after("lab:1", 0)
            reads.set()
            assert may_end.wait(60)

    def drop() -> None:
        try:
            assert reads.wait(60)
            assert list(volumes.drop_older(MONTH)) == []
            tell_in(clock, 0, "lab:2")
        finally:
            may_end.set()

    each_in_its_thread(read, drop)

    assert sum(gone for _, gone in volumes.drop_older(MONTH)) == 3


def test_what_comes_late_into_an_old_volume_leaves_no_hole(
    opened: None, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_in(clock, -6, "lab:1")
    forget, calls = volumes._forget, 0

    def forget_slowly(volume: volumes.Volume, *, after_topic: int) -> tuple[int | None, int]:
        nonlocal calls
        calls += 1
        found = forget(volume, after_topic=after_topic)
        if calls == 2:
            each_in_its_thread(lambda: tell_in(clock, -6, "lab:1"))
        return found

    monkeypatch.setattr(volumes, "_forget", forget_slowly)
    list(volumes.drop_older(MONTH))

    assert Topic.objects.get(name="lab:1").first_seq == 7
    tell_in(clock, 0, "lab:1")
    assert numbers(log.read_after("lab:1", 6)) == [7, 8, 9]


async def test_a_follower_who_comes_after_the_drop_is_told_so() -> None:
    def lay_out() -> None:
        clock = Clock()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(timezone, "now", clock.now)
            clock.weeks = -6
            volumes.open_ahead()
            tell_in(clock, -6, "lab:1")
            tell_in(clock, 0, "lab:1")
            assert sum(gone for _, gone in volumes.drop_older(MONTH)) == 3

    await in_database(lay_out)
    oldest = (await in_database(log.read_after, "lab:1", 3, limit=1))[0]
    async with follow("lab:1", after=1) as follower:
        assert await collect(follower, until=6) == [Truncated(oldest_id=oldest.id), 4, 5, 6]
    await hub.close()
    await in_database(drop_weeks)
