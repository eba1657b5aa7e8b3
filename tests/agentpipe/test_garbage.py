"""What only a full collection frees, and when there is one."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from agentpipe import garbage
from agentpipe.garbage import Collector
from tests.clients import Api


class Knot:
    """Refers to itself, as a request does to its response and that to it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()
    gc.unfreeze()


@pytest.fixture
def no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def ended_tasks() -> list[asyncio.Task[object]]:
    # Not isinstance: Django's lazy objects would come to life.
    return [one for one in gc.get_objects() if type(one) is asyncio.Task and one.done()]


@pytest.mark.usefixtures("no_collections")
async def test_the_tasks_of_a_request_go_with_it(api: Api) -> None:
    before = len(ended_tasks())

    for _ in range(5):
        assert (await api.get("/api/conversations")).status_code == 200
    await asyncio.sleep(0)

    assert len(ended_tasks()) <= before


def test_what_outlives_a_full_collection_is_not_looked_at_again(collector: Collector) -> None:
    kept: list[list[None]] = [[]]

    gc.collect()

    assert not any(one is kept for one in gc.get_objects())


def test_what_came_since_is(collector: Collector) -> None:
    knot = weakref.ref(Knot())

    gc.collect()

    assert knot() is None


def test_what_is_set_aside_is_not_counted_until_it_may_have_doubled(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def count() -> int:
        counts.append(1)
        return 0

    monkeypatch.setattr(gc, "get_freeze_count", count)

    gc.collect()
    collector.review()
    assert not counts

    collector.at_most = 2 * collector.stayed + 1
    collector.review()
    assert counts


def test_what_is_set_aside_and_gone_is_no_reason_to_look_at_all(collector: Collector) -> None:
    heap: list[list[None]] = [[] for _ in range(collector.stayed)]
    gc.collect()
    looked_at_s = collector.looked_at_s
    del heap

    collector.review()

    assert collector.looked_at_s == looked_at_s


def test_it_is_freed_after_some_minutes_if_it_was_garbage(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    knot = Knot()
    gc.collect()
    gone = weakref.ref(knot)
    del knot
    collector.review()
    assert gone()
    gc.collect()

    monkeypatch.setattr(garbage, "ALL_EVERY_S", -1)
    collector.review()

    assert gone() is None


def test_it_is_freed_at_once_where_there_is_twice_as_much(collector: Collector) -> None:
    knot = Knot()
    gone = weakref.ref(knot)
    heap: list[list[None]] = [[] for _ in range(collector.stayed)]
    gc.collect()
    del knot
    assert gone()

    collector.review()

    assert gone() is None
    assert heap
