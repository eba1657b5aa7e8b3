"""The keys of events: the millisecond in which one was recorded, and a number beside it.

Keys rise with time, so the log is divided by them: a volume is what was recorded in a week. Keys
from before there were volumes were counted from 1, as if of the first week there was.
"""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
WEEK = timedelta(weeks=1)
# So many events of one millisecond have keys of their own; and until the year 2109.
NUMBER_BITS = 21
LARGEST_NUMBER = (1 << NUMBER_BITS) - 1
KEYS_A_VOLUME = (WEEK // MILLISECOND) << NUMBER_BITS


def first_key(moment: datetime) -> int:
    """The smallest of the keys of what is recorded in this millisecond."""
    return ((moment - EPOCH) // MILLISECOND) << NUMBER_BITS


def volume_of(key: int) -> int:
    """The first key of its volume."""
    return key - key % KEYS_A_VOLUME


def week_of(moment: datetime) -> datetime:
    """When the volume begins in which this moment is."""
    return moment - (moment - EPOCH) % WEEK
