"""The log in volumes, see streaming.volumes; what there is becomes the first of them.

Its rows stay where they are. What takes long is done first, while others read and write: an index,
and a look at every key. Then names change hands, in a transaction that waits for nobody for long.
Each step may be repeated, should one fail.
"""

import time
from datetime import UTC, datetime, timedelta

import django.db.models.deletion
from django.db import OperationalError, connection, migrations, models, transaction

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEK = timedelta(weeks=1)
PATIENCE_MS = 800
ATTEMPTS = 60

PARENTS = """
    CREATE TABLE streaming_eventbody (
        id bigint NOT NULL DEFAULT
            ((extract(epoch FROM clock_timestamp()) * 1000)::bigint << 21)
            | (nextval('streaming_eventbody_id_seq') & 2097151),
        kind varchar(100) NOT NULL,
        subject varchar(200) NOT NULL,
        payload text NOT NULL,
        occurred_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        tag bigint NOT NULL,
        is_final boolean NOT NULL
    ) PARTITION BY RANGE (id);
    CREATE TABLE streaming_entry (
        seq bigint NOT NULL,
        body_id bigint NOT NULL,
        topic_id bigint NOT NULL
    ) PARTITION BY RANGE (body_id);
    ALTER TABLE streaming_eventbody ADD PRIMARY KEY (id);
    CREATE INDEX streaming_final ON streaming_eventbody (id) WHERE is_final;
    CREATE INDEX streaming_entry_of_body ON streaming_entry (body_id);
    CREATE TABLE streaming_eventbody_default PARTITION OF streaming_eventbody DEFAULT;
    CREATE TABLE streaming_entry_default PARTITION OF streaming_entry DEFAULT;
    ALTER TABLE streaming_entry_default ADD PRIMARY KEY (topic_id, seq);
    CREATE INDEX ON streaming_eventbody_default (recorded_at);
"""


def divide(apps, schema_editor):
    now = datetime.now(UTC)
    # To the end of this week: what is recorded until then grows old with it.
    end_at = now - (now - EPOCH) % WEEK + WEEK
    end = ((end_at - EPOCH) // timedelta(milliseconds=1)) << 21
    has_events = look_through(end)
    for attempt in range(ATTEMPTS):
        try:
            swap(end, f"before_{end_at:%Y%m%d}" if has_events else None)
            return
        except OperationalError:
            # Somebody reads or writes for long: let them, and those behind them.
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.5)


def look_through(end):
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM streaming_eventbody)")
        (has_events,) = cursor.fetchone()
        if has_events:
            cursor.execute("DROP INDEX IF EXISTS streaming_final_before")
            cursor.execute(
                "CREATE INDEX CONCURRENTLY streaming_final_before ON streaming_eventbody (id)"
                " WHERE is_final"
            )
            for table, key in (("streaming_eventbody", "id"), ("streaming_entry", "body_id")):
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS before_volumes")
                cursor.execute(
                    f"ALTER TABLE {table} ADD CONSTRAINT before_volumes CHECK ({key} < {end})"
                    " NOT VALID"
                )
                cursor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT before_volumes")
    return has_events


def swap(end, name):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE_MS}")
        cursor.execute("LOCK streaming_topic, streaming_eventbody, streaming_entry")
        cursor.execute("SELECT EXISTS (SELECT FROM streaming_eventbody)")
        (has_events,) = cursor.fetchone()
        if has_events and not name:
            raise OperationalError("The first events came just now")
        cursor.execute("SELECT nextval('streaming_eventbody_id_seq')")
        (number,) = cursor.fetchone()
        for constraint in constraints(cursor, "f"):
            cursor.execute(f"ALTER TABLE streaming_entry DROP CONSTRAINT {constraint}")
        cursor.execute("ALTER TABLE streaming_eventbody ALTER id DROP IDENTITY")
        for table in ("streaming_eventbody", "streaming_entry"):
            if name:
                cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_{name}")
                cursor.execute(f"ALTER INDEX {table}_pkey RENAME TO {table}_{name}_pkey")
            else:
                cursor.execute(f"DROP TABLE {table}")
        cursor.execute(f"CREATE SEQUENCE streaming_eventbody_id_seq START {number + 1}")
        cursor.execute(PARENTS)
        if name:
            for table in ("streaming_eventbody", "streaming_entry"):
                cursor.execute(
                    f"ALTER TABLE {table} ATTACH PARTITION {table}_{name}"
                    f" FOR VALUES FROM (MINVALUE) TO ({end})"
                )
                cursor.execute(f"ALTER TABLE {table}_{name} DROP CONSTRAINT before_volumes")


def constraints(cursor, kind):
    cursor.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'streaming_entry'::regclass"
        " AND contype = %s",
        [kind],
    )
    return [name for (name,) in cursor.fetchall()]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("streaming", "0002_where_topics_stand")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(divide)],
            state_operations=[
                migrations.AlterField(
                    "eventbody", "id", models.BigIntegerField(primary_key=True, serialize=False)
                ),
                migrations.AlterField("eventbody", "recorded_at", models.DateTimeField()),
                migrations.AddIndex(
                    "eventbody",
                    models.Index(
                        "id", condition=models.Q(("is_final", True)), name="streaming_final"
                    ),
                ),
                migrations.AlterField(
                    "entry",
                    "body",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="streaming.eventbody",
                    ),
                ),
                migrations.AlterField(
                    "entry",
                    "topic",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="streaming.topic",
                    ),
                ),
            ],
        )
    ]
