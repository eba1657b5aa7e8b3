"""Jobs of workers that were killed go to those that live."""

import asyncio
from datetime import UTC, datetime

import structlog
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Status
from procrastinate.manager import JobManager

# A worker that has not been heard of for so long is dead; that it is only slow hurts no job.
GIVEN_UP_AFTER_S = 8.0
LOOKED_FOR_EVERY_S = 3.0
# What is due is told by the database's clock, and ours may be ahead of it.
AT_ONCE = datetime.fromtimestamp(0, UTC)

logger = structlog.get_logger(__name__)


async def keep_rescuing(manager: JobManager) -> None:
    """Look for jobs of the dead, at once and then every few seconds, and have them done again."""
    while True:
        try:
            await _rescue(manager)
        except ConnectorException as error:
            logger.warning("worker.rescue_failed", reason=repr(error))
        await asyncio.sleep(LOOKED_FOR_EVERY_S)


async def _rescue(manager: JobManager) -> None:
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=GIVEN_UP_AFTER_S):
        try:
            await manager.retry_job(job, retry_at=AT_ONCE)
        except UniqueViolation:
            # One that does the same is queued already, and may wait for this one's lock.
            await manager.finish_job(job, Status.ABORTED, delete_job=True)
        logger.info("worker.job_rescued", task=job.task_name, job=job.id)
