"""How large and how far behind what is stored is, asked whenever the metrics are.

All processes of a site are told the same of its database: whoever adds up over them takes one.
"""

import shutil
from collections.abc import Iterable, Iterator
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# Of a log in parts, the sum of the parts.
_SIZES = """
    SELECT pg_database_size(current_database()), (
        SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class
        WHERE relkind = 'r' AND relname LIKE 'streaming\\_%'
            AND relnamespace = current_schema()::regnamespace
    )
"""
# What a replica has applied is told to superusers and members of pg_monitor only.
_REPLICAS = """
    SELECT application_name, max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))
    FROM pg_stat_replication WHERE replay_lsn IS NOT NULL GROUP BY 1
"""

# The data directory, or where it would be made.
_DATA = [settings.DATA_DIR, *settings.DATA_DIR.parents]
# By what went wrong, as psycopg's pool counts it.
_ERRORS = {
    "refused": "connections_errors",
    "lost": "connections_lost",
    "too_late": "requests_errors",
}

logger = structlog.get_logger(__name__)


class Storage(Collector):
    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield _free()
        yield from _pool()
        try:
            yield from _asked()
        except DatabaseError as error:
            # The other figures are wanted all the more.
            logger.warning("metrics.no_sizes", reason=repr(error))


def _asked() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        database, log = cursor.fetchone()
        cursor.execute(_REPLICAS)
        behind = cursor.fetchall()
    yield GaugeMetricFamily("agentpipe_database_bytes", "All of the database.", value=database)
    yield GaugeMetricFamily("agentpipe_log_bytes", "The event log and its indexes.", value=log)
    replicas = GaugeMetricFamily(
        "agentpipe_replication_behind_bytes",
        "What PostgreSQL's replicas have not applied yet.",
        labels=["replica"],
    )
    for name, missing in behind:
        replicas.add_metric([name], float(missing))
    yield replicas


def _free() -> Metric:
    place = next(folder for folder in _DATA if folder.exists())
    free = shutil.disk_usage(place).free
    return GaugeMetricFamily(
        "agentpipe_disk_free_bytes", "Where the data directory is.", value=free
    )


def _pool() -> Iterator[Metric]:
    """The connections of this process, and what went wrong with them."""
    wrapper: Any = connection  # the stubs know no pool
    found: dict[str, int] = wrapper.pool.get_stats() if wrapper.pool else {}
    size, free = found.get("pool_size", 0), found.get("pool_available", 0)
    connections = GaugeMetricFamily(
        "agentpipe_database_connections", "Of this process.", labels=["state"]
    )
    connections.add_metric(["used"], size - free)
    connections.add_metric(["free"], free)
    yield connections
    yield GaugeMetricFamily(
        "agentpipe_database_waiting",
        "Threads that wait for a connection.",
        value=found.get("requests_waiting", 0),
    )
    errors = CounterMetricFamily(
        "agentpipe_database_errors", "Connections that were not had, or lost.", labels=["what"]
    )
    for what, name in _ERRORS.items():
        errors.add_metric([what], found.get(name, 0))
    yield errors
