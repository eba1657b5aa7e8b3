"""How many jobs wait and run, asked of the queue whenever the metrics are."""

from collections.abc import Iterable

import structlog
from django.db import DatabaseError, connection
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_COUNT = """
    SELECT task_name, count(*) FILTER (WHERE is_waiting), count(*) FILTER (WHERE status = 'doing'),
        coalesce(extract(epoch FROM now() - min(due_at) FILTER (WHERE is_waiting)), 0)
    FROM procrastinate_jobs j
    LEFT JOIN LATERAL (
        SELECT max(at) AS deferred_at FROM procrastinate_events e
        WHERE e.job_id = j.id AND e.type IN ('deferred', 'deferred_for_retry')
    ) told ON true,
    LATERAL (SELECT greatest(j.scheduled_at, told.deferred_at) AS due_at) due,
    LATERAL (
        SELECT status = 'todo' AND coalesce(j.scheduled_at <= now(), true) AS is_waiting
    ) waiting
    WHERE status IN ('todo', 'doing') GROUP BY task_name
"""

logger = structlog.get_logger(__name__)


class Queue(Collector):
    def describe(self) -> Iterable[Metric]:
        return self._families()

    def collect(self) -> Iterable[Metric]:
        waiting, running, oldest = families = self._families()
        try:
            with connection.cursor() as cursor:
                cursor.execute(_COUNT)
                for task, due, doing, age_s in cursor.fetchall():
                    waiting.add_metric([task], due)
                    running.add_metric([task], doing)
                    oldest.add_metric([task], float(age_s))
        except DatabaseError as error:
            # The other figures are wanted all the more.
            logger.warning("metrics.no_queue", reason=repr(error))
        return families

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily("agentpipe_jobs_waiting", "Jobs that are due.", labels=["task"]),
            GaugeMetricFamily("agentpipe_jobs_running", "Jobs being done.", labels=["task"]),
            GaugeMetricFamily(
                "agentpipe_jobs_oldest_seconds",
                "For how long the first of the due jobs has waited.",
                labels=["task"],
            ),
        )
