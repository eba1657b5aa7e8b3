"""The one way into the record: any number of events, written together."""

from collections.abc import Iterator, Sequence

import structlog
from django.db import DatabaseError, IntegrityError, OperationalError
from django.utils import timezone
from prometheus_client import Counter, Histogram
from psycopg.errors import DeadlockDetected

from conversations.changes import Delivery, Outcome, Recorded
from conversations.ingest.dispatch import Answer, Read, read
from conversations.models import Project
from conversations.services import record

ATTEMPTS = 8
RECEIVED = Counter("agentpipe_ingest_received", "Events that came in.")
STORED = Counter("agentpipe_ingest_stored", "Events that the record did not know yet.")
REFUSED = Counter("agentpipe_ingest_refused", "Events that were not recorded.", ["status"])
TOOK = Histogram("agentpipe_ingest_seconds", "From here to the COMMIT, of all that is together.")

logger = structlog.get_logger(__name__)


def receive(
    events: Sequence[object], *, project: Project, idempotency_keys: Sequence[str | None] = ()
) -> list[Answer]:
    """Record events in order and answer each; one that is refused does not stop its neighbours."""
    RECEIVED.inc(len(events))
    keys = idempotency_keys or [None] * len(events)
    now = timezone.now()
    readings = [
        read(event, arrived_at=now, idempotency_key=key)
        for event, key in zip(events, keys, strict=True)
    ]
    understood = [reading for reading in readings if isinstance(reading, Read)]
    outcomes = iter(record_all(project, [reading.delivery for reading in understood]))
    answers = [_answer(reading, outcomes) for reading in readings]
    for answer in answers:
        if answer.status >= 400:
            REFUSED.labels(answer.status).inc()
    return answers


def _answer(reading: Read | Answer, outcomes: Iterator[Outcome | Answer]) -> Answer:
    if isinstance(reading, Answer):
        return reading
    outcome = next(outcomes)
    return outcome if isinstance(outcome, Answer) else reading.answer(outcome)


def record_all(project: Project, deliveries: Sequence[Delivery]) -> Sequence[Outcome | Answer]:
    """Outcomes in order; where the database fails at one change, that one's answer instead."""
    try:
        with TOOK.time():
            outcomes: Sequence[Outcome | Answer] = (
                record_together(project, deliveries) if deliveries else []
            )
    except OperationalError:
        raise
    except DatabaseError:
        logger.warning("ingest.one_by_one", changes=len(deliveries))
        outcomes = [record_alone(project, delivery) for delivery in deliveries]
    STORED.inc(sum(isinstance(outcome, Recorded) and outcome.is_new for outcome in outcomes))
    return outcomes


def record_alone(project: Project, delivery: Delivery) -> Outcome | Answer:
    try:
        return record_together(project, [delivery])[0]
    except OperationalError:
        # The neighbours may be stored already: only this one is to be sent again.
        return Answer(503, {"error": "The database cannot be reached, try again"})
    except DatabaseError:
        logger.exception("ingest.failed", change=type(delivery.change).__name__)
        return Answer(500, {"error": "Internal server error"})


def record_together(project: Project, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
    for _ in range(ATTEMPTS - 1):
        try:
            return record(project, deliveries)
        except IntegrityError:
            # Another transaction wrote the same thing first; the next attempt finds it.
            continue
        except OperationalError as error:
            if not isinstance(error.__cause__, DeadlockDetected):
                raise
    return record(project, deliveries)
