"""What the worker does for the record."""

import structlog
from procrastinate import JobContext
from procrastinate.contrib.django import app

from conversations import search, services
from conversations.models import Project
from conversations.retention import delete_expired

logger = structlog.get_logger(__name__)


@app.periodic(cron="43 * * * *")
@app.task(queueing_lock="forget_old_keys", pass_context=False)
def forget_old_keys(timestamp: int) -> None:
    """Idempotency-Keys are remembered for a day."""
    count = services.forget_old_keys()
    if count:
        logger.info("ingest.keys_forgotten", count=count)


@app.periodic(cron="29 * * * *")
@app.task(queueing_lock="retention", lock="retention", pass_context=True)
def delete_what_expired(context: JobContext, timestamp: int) -> None:
    """Projects keep conversations for as many days as they say; the next hour goes on from here."""
    for project in Project.objects.exclude(retention_days=None):
        gone = delete_expired(project, should_stop=context.should_abort)
        if gone:
            logger.info("retention.deleted", project=project.slug, **gone)


@app.periodic(cron="* * * * * */10")
@app.task(queueing_lock="index_for_search", pass_context=False)
def index_for_search(timestamp: int) -> None:
    """What was recorded is found; a search reads the little that is newer by itself."""
    count = search.index_all()
    if count:
        logger.info("search.indexed", count=count)
