"""What the worker does for the log."""

from datetime import timedelta

import structlog
from django.conf import settings
from procrastinate.contrib.django import app

from streaming import packing, stats, volumes

logger = structlog.get_logger(__name__)


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="open_volumes", pass_context=False)
def open_volumes(timestamp: int) -> None:
    """Weeks before they are needed."""
    opened = volumes.open_ahead()
    if opened:
        logger.info("log.opened", volumes=opened)


@app.periodic(cron="17 * * * *")
@app.task(queueing_lock="trim_log", pass_context=False)
def trim_log(timestamp: int) -> None:
    """Forget events older than STREAM_RETENTION_DAYS; 0 keeps them for ever."""
    if not settings.STREAM_RETENTION_DAYS:
        return
    than = timedelta(days=settings.STREAM_RETENTION_DAYS)
    for volume, gone in volumes.drop_older(than):
        stats.FORGOTTEN.inc(gone)
        logger.info("log.dropped", volume=volume, entries=gone)
    gone = volumes.trim(than)
    stats.FORGOTTEN.inc(gone)
    if gone:
        logger.info("log.trimmed", entries=gone)


@app.periodic(cron="37 * * * *")
@app.task(queueing_lock="pack_log", pass_context=False)
def pack_log(timestamp: int) -> None:
    """Streams that have ended are kept in few rows."""
    gone = packing.pack_ended()
    stats.PACKED.inc(gone)
    if gone:
        logger.info("log.packed", rows=gone)
