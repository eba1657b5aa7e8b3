"""What is too old is forgotten, and what is left has no hole."""

from datetime import timedelta

import pytest
from django.utils import timezone

from streaming import log, volumes
from streaming.errors import EventsTrimmed
from streaming.models import Entry, EventBody
from tests.streaming.lab import numbers, tell

pytestmark = pytest.mark.django_db(transaction=True)
MONTH = timedelta(days=30)


def age(count: int) -> None:
    """Make the first events two months old."""
    old = EventBody.objects.order_by("pk")[:count].values_list("pk", flat=True)
    EventBody.objects.filter(pk__in=list(old)).update(recorded_at=timezone.now() - 2 * MONTH)


def test_events_older_than_the_limit_are_forgotten_and_counted() -> None:
    tell("lab:1", "lab:2", numbers=range(10))
    age(4)

    assert volumes.trim(MONTH, chunk=3) == 8

    assert Entry.objects.count() == 12
    assert EventBody.objects.count() == 6
    assert log.span("lab:1").first == 5
    assert numbers(log.read_after("lab:1", 4)) == [5, 6, 7, 8, 9, 10]
    with pytest.raises(EventsTrimmed) as trimmed:
        log.read_after("lab:1", 2)
    assert trimmed.value.oldest == 5


def test_a_topic_of_which_all_is_forgotten_keeps_its_numbers() -> None:
    tell("lab:1", numbers=range(3))
    age(3)
    volumes.trim(MONTH)

    tell("lab:1", numbers=range(1))

    assert numbers(log.read_after("lab:1", 3)) == [4]


def test_an_event_recorded_out_of_turn_leaves_no_hole() -> None:
    tell("lab:1", numbers=range(5))
    third = EventBody.objects.order_by("pk")[2]
    EventBody.objects.filter(pk=third.pk).update(recorded_at=timezone.now() - 2 * MONTH)

    volumes.trim(MONTH)

    assert numbers(log.read_after("lab:1", 3)) == [4, 5]
    assert log.span("lab:1").first == 4


def test_nothing_to_forget_forgets_nothing() -> None:
    tell("lab:1", numbers=range(3))

    assert volumes.trim(MONTH) == 0
    assert numbers(log.read_after("lab:1", 0)) == [1, 2, 3]
