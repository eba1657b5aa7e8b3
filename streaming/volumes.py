"""The volumes of the log: tables of a week each, opened ahead and dropped when they are old.

What no volume was opened for goes into the default one, and moves when its week is opened. There,
and in the volume from before there were volumes, events grow old one by one and are trimmed.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

import structlog
from django.db import OperationalError, connection
from django.utils import timezone
from psycopg.errors import LockNotAvailable

from streaming import keys
from streaming.publish import transactional

# So long a worker may be away before the default volume is needed.
WEEKS_AHEAD = 4
# An arbitrary number that every process of this project agrees on.
OPENING = 4_201_170_802
# Shorter than PostgreSQL waits before it looks for a deadlock: it is we who give way.
PATIENCE_MS = 500
ATTEMPTS = 5
TOPICS_AT_ONCE = 5_000

P = ParamSpec("P")
R = TypeVar("R")

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Volume:
    """`name` ends the names of its two tables: 20261119, before_20261126, or default."""

    name: str

    @property
    def body(self) -> str:
        return f"streaming_eventbody_{self.name}"

    @property
    def entry(self) -> str:
        return f"streaming_entry_{self.name}"

    @property
    def is_whole_week(self) -> bool:
        return self.name.isdigit()

    @property
    def ends_at(self) -> datetime | None:
        found = re.search(r"\d{8}$", self.name)
        if found is None:
            return None
        named = datetime.strptime(found[0], "%Y%m%d").replace(tzinfo=UTC)
        return named + keys.WEEK if self.is_whole_week else named


def all_volumes() -> list[Volume]:
    """Those that are open."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT substr(relname, length('streaming_entry_') + 1) FROM pg_inherits"
            " JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = 'streaming_entry'::regclass ORDER BY relname"
        )
        return [Volume(name) for (name,) in cursor.fetchall()]


def open_ahead() -> list[str]:
    """Have a volume for this week and the next ones; says which were opened."""
    this_week = keys.week_of(timezone.now())
    weeks = [this_week + ahead * keys.WEEK for ahead in range(WEEKS_AHEAD + 1)]
    return [f"{week:%Y%m%d}" for week in _without_volume(weeks) if _patiently(_open, week)]


def drop_older(than: timedelta) -> Iterator[tuple[str, int]]:
    """Drop the volumes of which everything is older; says of each how many entries went with it."""
    for volume in all_volumes():
        ends_at = volume.ends_at
        if ends_at and ends_at <= timezone.now() - than:
            last: int | None = 0
            while last is not None:
                last, _ = _forget(volume, after_topic=last)
            gone = _patiently(_drop, volume)
            if gone is not None:
                yield volume.name, gone


def trim(than: timedelta, *, chunk: int = 5_000) -> int:
    """Forget what is older in the volumes that stay; says how many entries went."""
    before = timezone.now() - than
    gone = 0
    for volume in all_volumes():
        while not volume.is_whole_week:
            went, is_done = _trim_chunk(volume, before, chunk)
            gone += went
            if is_done:
                break
    return gone


def _patiently(change: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
    """Some attempts, none of which keeps others waiting for long; None where all were in vain."""
    for _ in range(ATTEMPTS):
        try:
            return change(*args, **kwargs)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
    logger.warning("log.busy", what=change.__name__.strip("_"))
    return None


def _without_volume(weeks: list[datetime]) -> list[datetime]:
    volumes = all_volumes()
    names = {volume.name for volume in volumes}
    covered = [volume.ends_at for volume in volumes if volume.name.startswith("before_")]
    return [
        week
        for week in weeks
        if f"{week:%Y%m%d}" not in names and not any(end and week < end for end in covered)
    ]


@transactional
def _open(week: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [OPENING])
        cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE_MS}")
        # Whoever has a row on its way to the default volume would hear that it is wrong there.
        cursor.execute("LOCK ONLY streaming_eventbody, ONLY streaming_entry IN EXCLUSIVE MODE")
        if not _without_volume([week]):
            return False
        first, end = keys.first_key(week), keys.first_key(week + keys.WEEK)
        for parent, key in (("streaming_eventbody", "id"), ("streaming_entry", "body_id")):
            table = f"{parent}_{week:%Y%m%d}"
            cursor.execute(
                f"CREATE TABLE {table} (LIKE {parent} INCLUDING DEFAULTS);"
                f" WITH moved AS (DELETE FROM {parent}_default"
                f" WHERE {key} >= {first} AND {key} < {end} RETURNING *)"
                f" INSERT INTO {table} SELECT * FROM moved;"
                f" ALTER TABLE {parent} ATTACH PARTITION {table}"
                f" FOR VALUES FROM ({first}) TO ({end})"
            )
        cursor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (topic_id, seq)")
    return True


@transactional
def _forget(volume: Volume, *, after_topic: int) -> tuple[int | None, int]:
    """Let topics begin behind this volume, some at a time; says which was the last of them.

    And how many entries they have in it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT topic_id, max(seq), count(*) FROM {volume.entry} WHERE topic_id > %s"
            " GROUP BY topic_id ORDER BY topic_id LIMIT %s",
            [after_topic, TOPICS_AT_ONCE],
        )
        told = cursor.fetchall()
        cursor.execute(
            # In the order in which `append` locks them.
            "WITH held AS (SELECT id, last FROM streaming_topic"
            "  JOIN unnest(%s::bigint[], %s::bigint[]) AS told (topic_id, last) ON id = topic_id"
            '  WHERE first_seq <= last ORDER BY name COLLATE "C" FOR UPDATE OF streaming_topic)'
            " UPDATE streaming_topic SET first_seq = last + 1 FROM held"
            " WHERE streaming_topic.id = held.id",
            [[topic for topic, _, _ in told], [last for _, last, _ in told]],
        )
    return told[-1][0] if told else None, sum(count for _, _, count in told)


@transactional
def _drop(volume: Volume) -> int:
    gone = 0
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE_MS}")
        # A clock that went wrong may have added something: now nobody does.
        cursor.execute(f"LOCK {volume.body}, {volume.entry} IN SHARE MODE")
        last: int | None = 0
        while last is not None:
            last, count = _forget(volume, after_topic=last)
            gone += count
        cursor.execute(
            "LOCK ONLY streaming_eventbody, ONLY streaming_entry IN ACCESS EXCLUSIVE MODE"
        )
        cursor.execute(f"DROP TABLE {volume.entry}, {volume.body}")
    return gone


@transactional
def _trim_chunk(volume: Volume, before: datetime, chunk: int) -> tuple[int, bool]:
    # A chunk a transaction: appending to a topic never waits for a long clean-up. Entries go from
    # the oldest on, so that what is left of a topic has no hole; topics in the order of `append`.
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.topic_id, max(e.seq) FROM (SELECT id FROM {volume.body}"
            "  WHERE recorded_at < %s ORDER BY recorded_at, id LIMIT %s) old"
            f" JOIN {volume.entry} e ON e.body_id = old.id"
            " JOIN streaming_topic t ON t.id = e.topic_id"
            ' GROUP BY e.topic_id, t.name ORDER BY t.name COLLATE "C"',
            [before, chunk],
        )
        ends = cursor.fetchall()
        gone = sum(_trim_topic(cursor, topic_id, last) for topic_id, last in ends)
        cursor.execute(
            f"DELETE FROM {volume.body} WHERE id IN (SELECT id FROM {volume.body} b"
            " WHERE recorded_at < %s AND NOT EXISTS"
            f" (SELECT 1 FROM {volume.entry} WHERE body_id = b.id)"
            " ORDER BY recorded_at, id LIMIT %s)",
            [before, chunk],
        )
        return gone, not cursor.rowcount


def _trim_topic(cursor: Any, topic_id: int, last: int) -> int:
    cursor.execute(
        "UPDATE streaming_topic SET first_seq = greatest(first_seq, %s) WHERE id = %s",
        [last + 1, topic_id],
    )
    cursor.execute(
        "DELETE FROM streaming_entry WHERE topic_id = %s AND seq <= %s", [topic_id, last]
    )
    return int(cursor.rowcount)
