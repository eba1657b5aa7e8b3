"""The event log at size: ten million entries of five weeks, in volumes and beside it in one table.

Both are read and written by the same statements; where these look is a matter of `search_path`.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

from agentpipe.embedded import address
from benchmarks.agentpipe_server import AgentPipe

ENTRIES = 10_000_000
WEEKS = 5
PROJECTS = 5
SAID_EACH = 50
STREAMS = 1_000
PIECES = 500
SIDES = ("in volumes", "in one table")
ROUNDS = 5

Where = Callable[[str], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    options = parser.parse_args()
    with AgentPipe() as server:
        where = address(server.data_dir)
        os.environ["DATABASE_URL"] = (
            f"postgresql://{where['USER']}:@{where['HOST'].replace('/', '%2F')}:{where['PORT']}"
            f"/{where['NAME']}"
        )
        os.environ["DJANGO_SETTINGS_MODULE"] = "agentpipe.settings"
        django.setup()
        measure(options.entries // 2)


def measure(events: int) -> None:
    from django.db import connection

    from streaming import log
    from streaming.appending import append

    connection.ensure_connection()
    with connection.cursor() as cursor:
        fill(cursor, events)

        def look(side: str) -> None:
            cursor.execute(f"SET search_path = {'public' if side == SIDES[0] else 'peer, public'}")

        each = events // PROJECTS
        draft = one_event()
        print(f"{2 * events:,} entries of {events:,} events, {WEEKS} volumes", flush=True)
        in_turns("append an event to two topics", look, lambda: append([draft]), 100)
        in_turns("append a hundred", look, lambda: append([draft] * 100), 10)
        # The one that is appended to has grown, and not by the same on both sides.
        in_turns("the last 10", look, lambda: log.read_after("project:2", each - 10), 100)
        in_turns("500 from the middle", look, lambda: log.read_after("project:2", each // 2), 10)
        in_turns("a conversation of 50", look, lambda: log.read_after("conversation:7", 0), 100)
        in_turns("where 100 topics stand", look, lambda: log.spans(SPANS), 50)
        in_turns(f"replay of {each:,}, each 500", look, lambda: replay(each), 1, rounds=1)
        look(SIDES[0])
        sizes(cursor, events)
        drop(cursor, look)
        pack(cursor)


SPANS = [f"conversation:{number}" for number in range(1, 100)] + ["project:1"]


def fill(cursor: Any, events: int) -> None:
    """The last week is this one, to its end."""
    from django.utils import timezone

    from streaming import keys, volumes

    now = timezone.now()
    first = keys.week_of(now) - (WEEKS - 1) * keys.WEEK
    for week in range(WEEKS):
        volumes._open(first + week * keys.WEEK)
    a_week = events // WEEKS
    cursor.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
    cursor.execute(
        "CREATE SCHEMA peer;"
        " CREATE TABLE peer.streaming_topic (LIKE streaming_topic INCLUDING ALL);"
        " CREATE TABLE peer.streaming_eventbody (LIKE streaming_eventbody INCLUDING DEFAULTS);"
        " CREATE TABLE peer.streaming_entry (LIKE streaming_entry)"
    )
    began = time.perf_counter()
    cursor.execute(
        "INSERT INTO streaming_topic (name, first_seq, last_seq, has_ended, volume, volume_seq,"
        " last_recorded_at, last_tag) SELECT 'project:' || n, 1, %(all)s, false, %(volume)s,"
        " %(seq)s, now(), 1 FROM generate_series(1, %(projects)s) n UNION ALL"
        " SELECT 'conversation:' || n, 1, %(said)s, false,"
        " %(first)s + ((n - 1) * %(said)s / %(week)s) * %(keys)s, 1, now(), 1"
        " FROM generate_series(1, %(conversations)s) n",
        {
            "all": events // PROJECTS,
            "volume": keys.first_key(first) + (WEEKS - 1) * keys.KEYS_A_VOLUME,
            "seq": (WEEKS - 1) * a_week // PROJECTS + 1,
            "projects": PROJECTS,
            "said": SAID_EACH,
            "first": keys.first_key(first),
            "week": a_week,
            "keys": keys.KEYS_A_VOLUME,
            "conversations": events // SAID_EACH,
        },
    )
    for week in range(WEEKS):
        cursor.execute(
            "INSERT INTO streaming_eventbody SELECT"
            " ((%(ms)s + n * 604800000::bigint / %(week)s) << 21) | n, 'message.created', '',"
            " '{\"data\":\"' || rpad('', 288, md5(n::text)) || '\"}', at, at, n, false FROM"
            " (SELECT n, to_timestamp((%(ms)s + n * 604800000::bigint / %(week)s) / 1000.0) AS at"
            "  FROM generate_series(0, %(week)s - 1) n) made",
            {"ms": keys.first_key(first + week * keys.WEEK) >> 21, "week": a_week},
        )
    # In the order of time, as they would have come.
    for week in range(WEEKS):
        cursor.execute(
            "INSERT INTO streaming_entry (topic_id, seq, body_id)"
            " SELECT t.id,"
            "  CASE WHEN is_wide THEN at / %(projects)s ELSE at %% %(said)s END + 1, key"
            " FROM (SELECT n + %(before)s AS at,"
            "  ((%(ms)s + n * 604800000::bigint / %(week)s) << 21) | n AS key"
            "  FROM generate_series(0, %(week)s - 1) n) made"
            " CROSS JOIN (VALUES (true), (false)) which (is_wide)"
            " JOIN streaming_topic t ON t.name = CASE WHEN is_wide"
            "  THEN 'project:' || 1 + at %% %(projects)s"
            "  ELSE 'conversation:' || 1 + at / %(said)s END",
            {
                "ms": keys.first_key(first + week * keys.WEEK) >> 21,
                "week": a_week,
                "before": week * a_week,
                "projects": PROJECTS,
                "said": SAID_EACH,
            },
        )
    print(f"filled in {time.perf_counter() - began:.0f} s", flush=True)
    began = time.perf_counter()
    for table in ("topic", "eventbody", "entry"):
        cursor.execute(f"INSERT INTO peer.streaming_{table} SELECT * FROM public.streaming_{table}")
    cursor.execute(
        "ALTER TABLE peer.streaming_eventbody ADD PRIMARY KEY (id);"
        " CREATE INDEX ON peer.streaming_eventbody (id) WHERE is_final;"
        " CREATE INDEX ON peer.streaming_eventbody (recorded_at);"
        " ALTER TABLE peer.streaming_entry ADD PRIMARY KEY (topic_id, seq);"
        " CREATE INDEX ON peer.streaming_entry (body_id)"
    )
    cursor.execute("VACUUM ANALYZE")
    print(f"the other one in {time.perf_counter() - began:.0f} s", flush=True)


def one_event() -> Any:
    from django.utils import timezone

    from streaming.appending import Draft

    return Draft(
        topics=("conversation:1", "project:1"),
        kind="message.created",
        payload='{"data":"' + "x" * 288 + '"}',
        subject="",
        occurred_at=timezone.now(),
        is_final=False,
    )


def in_turns(
    what: str, look: Where, work: Callable[[], object], times: int, rounds: int = ROUNDS
) -> None:
    took: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            look(side)
            work()
            began = time.perf_counter()
            for _ in range(times):
                work()
            took[side].append((time.perf_counter() - began) / times)
    ours, theirs = (statistics.median(took[side]) * 1000 for side in SIDES)
    print(f"  {what}: {ours:.2f} ms, in one table {theirs:.2f} ms: {ours / theirs:.2f}", flush=True)


def replay(until: int) -> None:
    from streaming import log

    after = 0
    while after < until:
        after = log.read_after("project:3", after)[-1].seq


def sizes(cursor: Any, events: int) -> None:
    cursor.execute(
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent IN"
        " ('public.streaming_eventbody'::regclass, 'public.streaming_entry'::regclass)"
    )
    ours = int(cursor.fetchone()[0])
    cursor.execute(
        "SELECT pg_total_relation_size('peer.streaming_eventbody')"
        " + pg_total_relation_size('peer.streaming_entry')"
    )
    theirs = int(cursor.fetchone()[0])
    print(
        f"  an event with its two entries: {ours / events:.0f} bytes,"
        f" in one table {theirs / events:.0f}",
        flush=True,
    )


def drop(cursor: Any, look: Where) -> None:
    """The oldest week, of which the other one forgets as many."""
    from streaming import keys, volumes

    oldest = volumes.all_volumes()[0]
    assert oldest.ends_at
    end = keys.first_key(oldest.ends_at)
    began = time.perf_counter()
    [(_, gone)] = list(volumes.drop_older(timedelta(days=7 * (WEEKS - 2))))
    took_s = time.perf_counter() - began
    look(SIDES[1])
    began = time.perf_counter()
    cursor.execute(
        "UPDATE streaming_topic SET first_seq = last + 1 FROM (SELECT topic_id, max(seq) AS last"
        " FROM streaming_entry WHERE body_id < %s GROUP BY topic_id) told WHERE id = topic_id",
        [end],
    )
    cursor.execute("DELETE FROM streaming_entry WHERE body_id < %s", [end])
    cursor.execute("DELETE FROM streaming_eventbody WHERE id < %s", [end])
    cursor.execute("VACUUM streaming_entry, streaming_eventbody")
    deleted_s = time.perf_counter() - began
    look(SIDES[0])
    print(
        f"  {gone:,} entries dropped in {took_s:.1f} s; deleted in one table: {deleted_s:.1f} s",
        flush=True,
    )


def pack(cursor: Any) -> None:
    """Answers of 500 pieces that have ended."""
    from django.utils import timezone

    from streaming import log, packing
    from streaming.appending import Draft, append

    recorded_at = timezone.now()
    for number in range(STREAMS):
        pieces = [
            Draft(
                topics=(f"message:{number}",),
                kind="content" if piece < PIECES else "end",
                payload=f'{{"md":"word {piece} of it "}}',
                subject="",
                occurred_at=recorded_at,
                is_final=piece == PIECES,
            )
            for piece in range(PIECES + 1)
        ]
        append(pieces)
    told = log.read_after("message:7", 0, limit=PIECES * 2)
    rows, size = packed_into(cursor)
    real = timezone.now
    timezone.now = lambda: real() + 2 * packing.LEFT_ALONE_FOR
    began = time.perf_counter()
    gone = packing.pack_ended()
    took_s = time.perf_counter() - began
    timezone.now = real
    left, small = packed_into(cursor)
    assert rows - left == gone
    assert log.read_after("message:7", 0, limit=PIECES * 2) == told
    print(
        f"  {rows:,} events of {STREAMS:,} answers packed in {took_s:.1f} s:"
        f" {size / rows:.0f} bytes an event, then {small / rows:.0f}"
    )


def packed_into(cursor: Any) -> tuple[int, int]:
    """How many rows answers have, and what these would take in tables of their own."""
    cursor.execute(
        "DROP TABLE IF EXISTS alone, alone_entry;"
        " CREATE TABLE alone (LIKE peer.streaming_eventbody INCLUDING INDEXES);"
        " CREATE TABLE alone_entry (LIKE peer.streaming_entry INCLUDING INDEXES);"
        " DROP INDEX IF EXISTS alone_recorded_at_idx;"
        " INSERT INTO alone_entry SELECT e.* FROM streaming_entry e JOIN streaming_topic t"
        "  ON t.id = e.topic_id WHERE t.name LIKE 'message:%%' ORDER BY body_id;"
        " INSERT INTO alone SELECT * FROM streaming_eventbody"
        "  WHERE id IN (SELECT body_id FROM alone_entry) ORDER BY id"
    )
    cursor.execute(
        "SELECT count(*), pg_total_relation_size('alone') + pg_total_relation_size('alone_entry')"
        " FROM alone_entry"
    )
    rows, size = cursor.fetchone()
    return int(rows), int(size)


if __name__ == "__main__":
    main()
