"""What the worker does for the log."""

from datetime import timedelta

import structlog
from django.conf import settings
from procrastinate.contrib.django import app

from streaming import log

logger = structlog.get_logger(__name__)


@app.periodic(cron="17 * * * *")
@app.task(queueing_lock="trim_log", pass_context=False)
def trim_log(timestamp: int) -> None:
    """Forget events older than STREAM_RETENTION_DAYS; 0 keeps them for ever."""
    if not settings.STREAM_RETENTION_DAYS:
        return
    gone = log.trim(older_than=timedelta(days=settings.STREAM_RETENTION_DAYS))
    if gone:
        logger.info("log.trimmed", entries=gone)
