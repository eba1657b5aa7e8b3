"""What has ended is kept in few rows, and read as if it were not."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from streaming import hub, log, packing, packs, tasks, volumes
from streaming.asking import in_database
from streaming.events import Event
from streaming.models import Entry, EventBody
from streaming.publish import erase, transactional
from tests.streaming.lab import collect, follow, numbers, tell

pytestmark = pytest.mark.django_db(transaction=True)
ODD = '"\\ \u2028 Ünïcödé \U0001f5fc'


def everything(topic: str) -> list[Event]:
    return log.read_after(topic, 0, limit=100_000)


def tell_stream(topic: str, pieces: int) -> list[Event]:
    tell(topic, numbers=range(pieces), kind="lab.piece", subject="a b", padding=ODD)
    tell(topic, numbers=range(1), kind="lab.end", is_final=True)
    return everything(topic)


def later(monkeypatch: pytest.MonkeyPatch, **passed: float) -> None:
    moment = timezone.now() + timedelta(**passed)
    monkeypatch.setattr(timezone, "now", lambda: moment)


def test_a_packed_stream_is_read_event_by_event_from_any_number_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = tell_stream("lab:1", packs.MOST_EVENTS + 60)
    other = tell_stream("lab:2", 2)
    later(monkeypatch, hours=2)

    tasks.pack_log(0)

    assert Entry.objects.count() == EventBody.objects.count() <= 8
    assert everything("lab:1") == told
    assert everything("lab:2") == other
    for after in (*range(0, len(told), 97), *range(len(told) - 63, len(told) - 57)):
        for limit in (1, 50, 1000):
            assert log.read_after("lab:1", after, limit=limit) == told[after : after + limit]
    size = len(told[0].payload.encode())
    assert log.read_after("lab:1", 5, limit_bytes=3 * size) == told[5:8]


def test_an_answer_goes_on_behind_its_pack_and_is_packed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tell_stream("lab:1", 20)
    later(monkeypatch, hours=2)
    packing.pack_ended()

    told = tell_stream("lab:1", 20)
    assert packing.pack_ended() == 0
    assert numbers(told) == list(range(1, 43))
    later(monkeypatch, hours=2)
    assert packing.pack_ended() == 20

    assert Entry.objects.count() == 2
    assert everything("lab:1") == told
    assert packing.pack_ended() == 0


def test_what_goes_on_or_has_ended_just_now_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tell("lab:1", numbers=range(5))
    tell_stream("lab:2", 5)
    tell("lab:2", numbers=range(1))
    later(monkeypatch, hours=2)
    tell_stream("lab:3", 5)

    assert packing.pack_ended() == 0
    assert Entry.objects.count() == 5 + 7 + 6


def test_what_others_tell_of_too_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    tell("lab:1", numbers=range(4))
    tell("lab:1", "lab:2", numbers=range(2))
    told = tell_stream("lab:1", 4)
    later(monkeypatch, hours=2)

    assert packing.pack_ended() == 3 + 4

    assert everything("lab:1") == told
    assert numbers(everything("lab:2")) == [1, 2]
    transactional(erase)("lab:1")
    assert [event.kind for event in everything("lab:2")] == ["stream.erased"] * 3
    assert EventBody.objects.filter(kind=packs.PACKED).count() == 0


def test_a_pack_grows_old_with_the_last_of_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    tell_stream("lab:1", 4)
    later(monkeypatch, hours=2)
    packing.pack_ended()

    later(monkeypatch, days=31)
    volumes.trim(timedelta(days=30))

    assert (log.span("lab:1").first, log.span("lab:1").last) == (6, 5)
    assert EventBody.objects.count() == 0


def test_whoever_reads_while_it_is_packed_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {topic: tell_stream(topic, 30) for topic in (f"lab:{n}" for n in range(20))}
    later(monkeypatch, hours=2)
    is_done = threading.Event()

    def read() -> int:
        rounds = 0
        try:
            while not is_done.is_set() or not rounds:
                for topic, events in told.items():
                    for after in (0, 7, 30):
                        assert log.read_after(topic, after, limit=20) == events[after : after + 20]
                rounds += 1
        finally:
            connection.close()
        return rounds

    with ThreadPoolExecutor(2) as threads:
        reading = [threads.submit(read) for _ in range(2)]
        try:
            assert packing.pack_ended() == 20 * 30
        finally:
            is_done.set()
        assert all(reader.result(60) for reader in reading)


async def test_a_follower_goes_on_in_the_middle_of_a_pack() -> None:
    def lay_out() -> list[Event]:
        with pytest.MonkeyPatch.context() as patch:
            told = tell_stream("lab:1", 40)
            later(patch, hours=2)
            packing.pack_ended()
        return told

    told = await in_database(lay_out)
    followed: list[Event] = []
    async with follow("lab:1", after=17) as follower:
        async for batch in follower:
            assert isinstance(batch, list)
            followed += batch
    assert followed == told[17:]
    async with follow("lab:1", after=41) as late:
        assert await collect(late, until=99) == []
    await hub.close()
