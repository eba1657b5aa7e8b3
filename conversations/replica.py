"""Long reads, which look into much and show a little: a replica of the database may answer them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction

REPLICA = "replica"

logger = structlog.get_logger(__name__)


@contextmanager
def long_read() -> Iterator[Any]:
    """A cursor in a transaction of its own, at the replica where there is one that answers.

    What was written in the last moments may be missing there.
    """
    alias = _nearest()
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        # Compiling takes longer than these run.
        cursor.execute("SET LOCAL jit = off")
        yield cursor


def _nearest() -> str:
    if REPLICA not in connections:
        return DEFAULT_DB_ALIAS
    try:
        connections[REPLICA].ensure_connection()
    except OperationalError:
        logger.warning("replica.away", exc_info=True)
        return DEFAULT_DB_ALIAS
    return REPLICA
