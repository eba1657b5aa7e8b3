"""What this process has done for its followers: counters for /metrics and /api/realtime/stats."""

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from streaming.events import iso

CONNECTIONS = Gauge("agentpipe_connections", "Open streams.", ["transport"])
OPENED = Counter("agentpipe_streams_opened", "Streams opened.", ["transport"])
RECONNECTS = Counter("agentpipe_reconnects", "Streams opened with a cursor.")
TOPICS = Gauge("agentpipe_topics_followed", "Topics that somebody here follows.")
DELIVERED = Counter("agentpipe_events_delivered", "Frames handed to connections.")
RECEIVED = Counter("agentpipe_events_received", "Events that reached this process's rings.")
RECOVERIES = Counter("agentpipe_recoveries", "Times a ring read the log to fill a gap.")
RING_MISSES = Counter("agentpipe_ring_misses", "Times a follower read the log itself.")
TRUNCATED = Counter("agentpipe_streams_truncated", "Cursors whose events were no longer held.")
DOORBELLS_RUNG = Counter("agentpipe_doorbells_rung", "Announcements sent over the channel layer.")
DOORBELLS_LOST = Counter(
    "agentpipe_doorbells_lost", "Announcements the channel layer did not take."
)
FORGOTTEN = Counter("agentpipe_log_forgotten", "Entries of the log that grew too old.")
PACKED = Counter("agentpipe_log_packed", "Rows of the log that went into packs.")
LATE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)

WINDOW_S = 60


class Delays(Collector):
    """A histogram that one thread writes: a tenth of what one with a lock takes.

    It is asked for each batch of each connection, and for each ring of the doorbell.
    """

    def __init__(self, name: str, about: str) -> None:
        self._name, self._about = name, about
        self._counts = [0] * (len(LATE_S) + 1)
        self._sum_s = 0.0

    def note(self, delay_s: float) -> None:
        self._counts[bisect_left(LATE_S, delay_s)] += 1
        self._sum_s += delay_s

    def collect(self) -> Iterable[Metric]:
        bounds = [*map(str, map(float, LATE_S)), "+Inf"]
        family = HistogramMetricFamily(self._name, self._about)
        family.add_metric([], list(zip(bounds, accumulate(self._counts), strict=True)), self._sum_s)
        return [family]


LAG = Delays(
    "agentpipe_lag_seconds",
    "From an event's recording to its arrival in a ring of this process.",
)
DELIVERY = Delays(
    "agentpipe_delivery_seconds",
    "From a topic's newest event to a connection that had read all before it.",
)
REGISTRY.register(LAG)
REGISTRY.register(DELIVERY)


class Pace:
    """How many a second, and how late, over the last minute."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int]] = deque(maxlen=WINDOW_S)
        self.lag_s = 0.0
        self._last_s: float | None = None

    def note(self, count: int, *, lag_s: float) -> None:
        now = time.monotonic()
        second = int(now)
        if self._seconds and self._seconds[-1][0] == second:
            count += self._seconds.pop()[1]
        self._seconds.append((second, count))
        self.lag_s = lag_s
        self._last_s = now

    @property
    def last_at(self) -> datetime | None:
        if self._last_s is None:
            return None
        return datetime.now(UTC) - timedelta(seconds=time.monotonic() - self._last_s)

    def per_second(self) -> float:
        since = int(time.monotonic()) - WINDOW_S
        return sum(count for second, count in self._seconds if second > since) / WINDOW_S


PACE = Pace()


def note_received(count: int, *, lag_s: float) -> None:
    RECEIVED.inc(count)
    LAG.note(lag_s)
    PACE.note(count, lag_s=lag_s)


def snapshot() -> dict[str, object]:
    """The numbers of this process, as `/api/realtime/stats` shows them."""
    connections = {labels["transport"]: int(value) for labels, value in _samples(CONNECTIONS)}
    return {
        "connections": {"total": sum(connections.values()), **connections},
        "streams": _total(TOPICS),
        "lag": round(PACE.lag_s, 4),
        "lastReceivedAt": iso(last_at) if (last_at := PACE.last_at) else None,
        "eventsPerSecond": round(PACE.per_second(), 2),
        "delivered": _total(DELIVERED),
        "reconnects": _total(RECONNECTS),
        "recoveries": _total(RECOVERIES),
        "ringMisses": _total(RING_MISSES),
        "truncated": _total(TRUNCATED),
        "doorbells": {"rung": _total(DOORBELLS_RUNG), "lost": _total(DOORBELLS_LOST)},
    }


def _total(metric: Counter | Gauge) -> int:
    return int(sum(value for _, value in _samples(metric)))


def _samples(metric: Counter | Gauge) -> list[tuple[dict[str, str], float]]:
    return [
        (sample.labels, sample.value)
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]
