"""What the worker does for the record."""

import structlog
from procrastinate.contrib.django import app

from conversations import services

logger = structlog.get_logger(__name__)


@app.periodic(cron="43 * * * *")
@app.task(queueing_lock="forget_old_keys", pass_context=False)
def forget_old_keys(timestamp: int) -> None:
    """Idempotency-Keys are remembered for a day."""
    count = services.forget_old_keys()
    if count:
        logger.info("ingest.keys_forgotten", count=count)
