"""Promises to those who follow: everything once and in order, whatever happens between."""

import asyncio
import threading
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from channels.db import database_sync_to_async
from django.db import connection, connections, transaction
from pytest_django.fixtures import Settings

from streaming import doorbell, hub, log, stats, volumes
from streaming.asking import in_database
from streaming.events import Event, Filter
from streaming.follow import Truncated, following
from streaming.models import EventBody
from streaming.publish import erase, transactional
from tests.clients import DEADLINE_S, eventually
from tests.streaming.lab import atell, collect, follow, numbers, tell

pytestmark = pytest.mark.usefixtures("closed_hub")
trim = database_sync_to_async(volumes.trim, thread_sensitive=False)


class Reading:
    """From where pages of the log were read; those from one number on are handed over late."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, held: int | None = None) -> None:
        self.begun: list[int] = []
        self.held = held
        self.may_end = threading.Event()
        self._read_after = log.read_after
        monkeypatch.setattr(log, "read_after", self.read)

    def read(self, topic: str, after: int, **limits: int) -> list[Event]:
        page = self._read_after(topic, after, **limits)
        self.begun.append(after)
        assert after != self.held or self.may_end.wait(DEADLINE_S)
        return page


async def test_a_follower_gets_what_was_told_before_and_what_is_told_now(layer: str) -> None:
    await atell("lab:1", numbers=range(3))
    async with follow("lab:1", after=1) as follower:
        assert await collect(follower, until=3) == [2, 3]
        await atell("lab:1", numbers=range(2))
        assert await collect(follower, until=5) == [4, 5]


async def test_from_now_on_means_what_comes_after_the_last(layer: str) -> None:
    await atell("lab:1", numbers=range(3))
    async with follow("lab:1", after=None) as follower:
        last_id = follower.last_id
        await atell("lab:1", numbers=range(1))
        assert await collect(follower, until=4) == [4]
    assert last_id == (await in_database(log.read_after, "lab:1", 2))[0].id


async def test_an_event_arrives_at_once_by_the_doorbell(layer: str, settings: Settings) -> None:
    settings.STREAM_PULSE_S = 3600
    async with follow("lab:1") as follower:
        for number in range(1, 4):
            await atell("lab:1", numbers=range(1))
            assert await collect(follower, until=number) == [number]


async def test_a_replayed_event_is_the_event_that_was_sent_live(layer: str) -> None:
    async with follow("lab:1") as follower:
        await atell("lab:1", numbers=range(1), padding="Ünïcödé \U0001f5fc \u2028")
        live = await anext(follower)

    assert live == await in_database(log.read_after, "lab:1", 0)


async def test_an_announcement_too_large_to_carry_its_events_is_read_from_the_log(
    layer: str,
) -> None:
    async with follow("lab:1") as follower:
        await atell("lab:1", numbers=range(3), padding="x" * doorbell.LARGEST_ANNOUNCEMENT)
        assert await collect(follower, until=3) == [1, 2, 3]


async def test_a_follower_gets_everything_once_and_in_order_whatever_the_layer_does(
    naughty_layer: None, settings: Settings
) -> None:
    settings.STREAM_PULSE_S = 0.1
    many = 200
    async with follow("lab:1") as first, follow("lab:1", after=0) as second:
        collecting = [asyncio.create_task(collect(one, until=many)) for one in (first, second)]
        for number in range(many):
            await atell("lab:1", numbers=range(number, number + 1))
            if number == many // 2:
                async with follow("lab:1") as late:
                    found = await collect(late, until=number + 1)
                    assert found == list(range(1, number + 2))
        for found in await asyncio.gather(*collecting):
            assert found == list(range(1, many + 1))


async def test_whoever_joins_between_the_group_and_the_log_misses_nothing(
    layer: str, settings: Settings
) -> None:
    """Events told while a topic is being opened are neither lost nor doubled."""
    settings.STREAM_PULSE_S = 3600
    for attempt in range(10):
        topic = f"lab:{attempt}"
        telling = asyncio.create_task(atell(topic, numbers=range(5)))
        async with follow(topic) as follower:
            assert await collect(follower, until=5) == [1, 2, 3, 4, 5]
        await telling


async def test_a_slow_follower_costs_only_itself_and_holds_no_memory() -> None:
    many = 3 * hub.RING_EVENTS
    async with follow("lab:1") as slow, follow("lab:1") as quick:
        assert quick.ring is slow.ring
        for start in range(0, many, 64):
            await atell("lab:1", numbers=range(64))
            assert len(await collect(quick, until=start + 64)) == 64
        assert len(slow.ring.events) == hub.RING_EVENTS
        assert slow.ring.size < hub.RING_BYTES

        assert await collect(slow, until=many) == list(range(1, many + 1))


async def test_a_ring_of_large_events_stays_within_its_bytes() -> None:
    async with follow("lab:1") as follower:
        for _ in range(6):
            await atell("lab:1", numbers=range(1), padding="x" * (hub.RING_BYTES // 2))
        await eventually(lambda: follower.ring.last == 6)
        assert follower.ring.size <= hub.RING_BYTES
        assert await collect(follower, until=6) == [1, 2, 3, 4, 5, 6]


async def test_those_who_come_back_together_read_the_log_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = Reading(monkeypatch)
    await atell("lab:1", numbers=range(10))
    async with AsyncExitStack() as stack:
        many = [await stack.enter_async_context(follow("lab:1", after=4)) for _ in range(20)]
        found = await asyncio.gather(*(collect(one, until=10) for one in many))
        assert found == [[5, 6, 7, 8, 9, 10]] * 20
        late = await stack.enter_async_context(follow("lab:1", after=7))
        assert await collect(late, until=10) == [8, 9, 10]
    # Once more where some came while it was read.
    assert read.begun.count(4) in {1, 2}
    assert 7 not in read.begun


async def test_what_is_read_of_the_log_fills_the_ring_and_no_more() -> None:
    await atell("lab:1", numbers=range(100))
    async with follow("lab:1", after=None) as first:
        for _ in range(5):
            await atell("lab:1", numbers=range(100))
        await eventually(lambda: first.ring.last == 600)
        async with follow("lab:1", after=60) as late:
            assert await collect(late, until=600) == list(range(61, 601))
        assert numbers(list(first.ring.events)) == list(range(601 - hub.RING_EVENTS, 601))
        await atell("lab:1", numbers=range(1))
        assert await collect(first, until=601) == list(range(101, 602))
        assert len(first.ring.events) == hub.RING_EVENTS


async def test_large_events_that_are_read_of_the_log_leave_the_ring_within_its_bytes() -> None:
    await atell("lab:1", numbers=range(6), padding="x" * (hub.RING_BYTES // 4))
    async with follow("lab:1", after=None) as first:
        for after in (0, 4, 3, 2, 1):
            async with follow("lab:1", after=after) as late:
                assert await collect(late, until=6) == list(range(after + 1, 7))
        held = list(first.ring.events)
    assert numbers(held) == [4, 5, 6]
    assert first.ring.size == sum(len(event.payload) for event in held) < hub.RING_BYTES


@pytest.mark.parametrize("goes", ["what others told of it", "the topic itself"])
async def test_what_was_taken_back_while_it_was_read_does_not_stay(
    goes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @transactional
    def take_back() -> None:
        if goes == "the topic itself":
            erase("lab:1")
            tell("lab:1", numbers=range(1), is_final=True)
        else:
            erase("lab:2")

    read = Reading(monkeypatch, held=0)
    await atell("lab:1", "lab:2", numbers=range(3))
    async with follow("lab:1", after=0) as hasty:
        reading = asyncio.create_task(anext(hasty))
        await eventually(lambda: 0 in read.begun)
        await database_sync_to_async(take_back, thread_sensitive=False)()
        await eventually(lambda: hasty.ring.last == 4)
        read.may_end.set()
        await reading
        kinds = [event.kind for event in hasty.ring.events]
        assert kinds == ["lab.happened" if goes == "the topic itself" else "stream.erased"]
        assert numbers(list(hasty.ring.events)) == [4]


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_stuck_follower_holds_one_batch_however_large_the_events(is_late: bool) -> None:
    """What it was handed last is all that it keeps alive, from the ring as from the log."""
    size, count = hub.BATCH_BYTES // 4, 200 if is_late else 20
    async with follow("lab:1", after=0) as stuck:
        for _ in range(count // 10):
            await atell("lab:1", numbers=range(10), padding="x" * size)
        await eventually(lambda: stuck.ring.last == count)
        batch = await anext(stuck)
        assert isinstance(batch, list)
        assert 0 < sum(len(event.payload) for event in batch) < 2 * hub.BATCH_BYTES
        assert await collect(stuck, until=count) == list(range(len(batch) + 1, count + 1))


async def test_too_late_is_said_out_loud_with_the_oldest_number_still_held(layer: str) -> None:
    await atell("lab:1", numbers=range(6))
    old = EventBody.objects.order_by("pk")[:4].values_list("pk", flat=True)

    def age() -> None:
        found = EventBody.objects.filter(pk__in=list(old)).first()
        assert found is not None
        EventBody.objects.filter(pk__in=list(old)).update(
            recorded_at=found.recorded_at - timedelta(days=60)
        )

    await in_database(age)
    await trim(timedelta(days=30))
    oldest = (await in_database(log.read_after, "lab:1", 4, limit=1))[0]

    async with follow("lab:1", after=2) as follower:
        found = await collect(follower, until=6)

    assert found == [Truncated(oldest_id=oldest.id), 5, 6]


async def test_a_cursor_beyond_the_end_is_told_so_and_goes_on_from_the_oldest(layer: str) -> None:
    await atell("lab:1", numbers=range(2))
    async with follow("lab:1", after=40) as follower:
        notice, *rest = await collect(follower, until=2)
    assert isinstance(notice, Truncated)
    assert rest == [1, 2]


async def test_a_dead_channel_layer_fails_no_request_and_events_still_arrive(
    dead_layer: None, settings: Settings
) -> None:
    settings.STREAM_PULSE_S = 0.1
    async with follow("lab:1") as follower:
        await atell("lab:1", numbers=range(3))
        assert await collect(follower, until=3) == [1, 2, 3]
        await atell("lab:1", numbers=range(1))
        assert await collect(follower, until=4) == [4]


async def test_leaving_leaves_nothing_behind(layer: str) -> None:
    the_hub = hub.of_this_process()
    async with follow("lab:0"):
        chores = len(the_hub.chores)
    pool = connections["default"].pool  # type: ignore[attr-defined]  # not in the stubs

    async def visit(number: int) -> None:
        async with follow(f"lab:{number % 5}") as follower:
            await atell(f"lab:{number % 5}", numbers=range(1))
            await anext(follower)

    await asyncio.gather(*(visit(number) for number in range(20)))
    # Some leave while their topic is still being opened.
    hasty = [asyncio.create_task(visit(number)) for number in range(5, 10)]
    await asyncio.sleep(0)
    for task in hasty:
        task.cancel()
    await asyncio.gather(*hasty, return_exceptions=True)

    def nothing_is_left() -> bool:
        stats = pool.get_stats()
        in_use = stats["pool_size"] - stats["pool_available"]
        return not the_hub.rings and not the_hub.starting and in_use <= 1

    await eventually(nothing_is_left)
    await eventually(lambda: len(the_hub.chores) <= chores)
    assert await groups_joined(the_hub) == set()


async def groups_joined(the_hub: hub.Hub) -> set[str]:
    from channels.layers import get_channel_layer

    layer = get_channel_layer()
    groups = layer.groups if hasattr(layer, "groups") else layer._get_layer().groups
    return {group for group, channels in groups.items() if the_hub.channel in channels}


def misses_so_far() -> object:
    return stats.snapshot()["ringMisses"]


async def test_a_hub_takes_the_doorbell_over_and_leaves_no_thread_behind(layer: str) -> None:
    await atell("lab:1", numbers=range(1))
    rung_in = [thread for thread in threading.enumerate() if thread.name == "doorbell"]
    assert rung_in

    async with follow("lab:1") as follower:
        await eventually(lambda: not any(thread.is_alive() for thread in rung_in))
        await atell("lab:1", numbers=range(1))
        assert await collect(follower, until=2) == [1, 2]


async def test_a_follower_that_leaves_while_it_reads_the_log_has_left() -> None:
    await atell("lab:1", numbers=range(3))
    is_locked, may_unlock = threading.Event(), threading.Event()

    def lock_the_log() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE streaming_entry IN ACCESS EXCLUSIVE MODE")
            is_locked.set()
            may_unlock.wait(150)

    async with follow("lab:1") as follower:
        locking = asyncio.create_task(in_database(lock_the_log))
        await asyncio.to_thread(is_locked.wait)
        misses = misses_so_far()
        reading = asyncio.create_task(collect(follower, until=3))
        await eventually(lambda: misses_so_far() != misses)
        reading.cancel()
        may_unlock.set()
        await asyncio.wait([reading, locking])
        assert reading.cancelled()


async def test_cancelling_one_follower_leaves_the_others_waiting(layer: str) -> None:
    async with follow("lab:1") as one, follow("lab:1") as other:
        waiting = asyncio.create_task(collect(one, until=1))
        kept = asyncio.create_task(collect(other, until=1))
        await eventually(lambda: len(one.ring.waiters) == 2)
        waiting.cancel()
        await atell("lab:1", numbers=range(1))
        assert await kept == [1]


async def test_what_can_be_pushed_is_and_the_rest_is_iterated_each_once_and_in_order(
    layer: str,
) -> None:
    came: list[int] = []
    pushed: list[int] = []

    def push(events: list[Event]) -> bool:
        """Now and then it is not the time."""
        if events[0].seq % 3 == 0:
            return False
        came.extend(event.seq for event in events)
        pushed.extend(event.seq for event in events)
        return True

    async def iterate() -> None:
        async for batch in follower:
            assert not isinstance(batch, Truncated)
            came.extend(event.seq for event in batch)

    async with following("lab:1", after=None, transport="socket", push=push) as follower:
        iterating = asyncio.create_task(iterate())
        for number in range(1, 13):
            await eventually(lambda: bool(follower.ring.waiters))
            await atell("lab:1", numbers=range(1))
            await eventually(lambda number=number: len(came) == number)  # type: ignore[misc]
        await atell("lab:1", numbers=range(1), is_final=True)
        await iterating
    assert came == list(range(1, 14))
    assert set(pushed) >= {2, 5, 8, 11}
    assert set(pushed).isdisjoint({3, 6, 9, 12})


async def test_one_who_waits_for_something_else_is_not_woken(layer: str) -> None:
    def push(events: list[Event]) -> bool:
        raise AssertionError(events)

    only = Filter(kinds=frozenset({"lab.good"}))
    async with following("lab:1", after=None, transport="socket", only=only, push=push) as follower:
        waiting = asyncio.create_task(anext(follower))
        await eventually(lambda: bool(follower.ring.waiters))
        await atell("lab:1", numbers=range(3), kind="lab.bad")
        await eventually(lambda: follower.position == 3)
        assert not waiting.done()
        waiting.cancel()


async def test_a_stream_beats_while_nothing_happens() -> None:
    async with follow("lab:1", heartbeat_s=0.01) as follower:
        assert await anext(follower) == []
        assert await anext(follower) == []
        await atell("lab:1", numbers=range(1))
        await eventually(lambda: follower.ring.last == 1)
        assert numbers(await anext(follower)) == [1]  # type: ignore[arg-type]  # no notice


async def test_only_what_is_wanted_comes_and_numbers_rise_with_holes(layer: str) -> None:
    async with follow("lab:1", only=Filter(families=("lab.good",), subjects=frozenset("a"))) as one:
        await atell("lab:1", numbers=range(1), kind="lab.good", subject="a")
        await atell("lab:1", numbers=range(1), kind="lab.bad", subject="a")
        await atell("lab:1", numbers=range(1), kind="lab.good", subject="b")
        await atell("lab:1", numbers=range(1), kind="lab.good", subject="a")
        assert await collect(one, until=4) == [1, 4]


async def test_a_finished_stream_ends_after_its_last_event(layer: str) -> None:
    async with follow("lab:1") as follower:
        await atell("lab:1", numbers=range(1))
        await atell("lab:1", numbers=range(1), is_final=True)
        assert await collect(follower, until=10) == [1, 2]
    async with follow("lab:1", after=2) as late:
        assert await collect(late, until=10) == []
    await atell("lab:1", numbers=range(1))
    async with follow("lab:1", after=0) as again:
        assert await collect(again, until=3) == [1, 2, 3]


async def test_closing_the_hub_sends_everyone_away() -> None:
    async with follow("lab:1") as follower:
        waiting = asyncio.create_task(anext(follower))
        await eventually(lambda: bool(follower.ring.waiters))
        follower.ring.is_closed = True
        follower.ring.wake()
        with pytest.raises(hub.HubClosed):
            await waiting
