"""The database of this process: there for as long as something is done with it, and let go of."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from agentpipe import env
from agentpipe.embedded import Postgres


@contextmanager
def the_database() -> Iterator[None]:
    """The embedded one is started for as long as this lasts, unless it runs."""
    if env.text("DATABASE_URL"):
        yield
        return
    postgres = Postgres(settings.DATA_DIR)
    try:
        postgres.claim(serving="a backup")
    except env.BadSetting:
        yield  # whoever holds it serves it
        return
    postgres.start()
    try:
        yield
    finally:
        let_database_go()
        postgres.stop()


def let_database_go() -> None:
    """Close the pool's connections, so that its threads end before the database does."""
    wrapper: Any = connections[DEFAULT_DB_ALIAS]  # the stubs know no pool
    wrapper.close()
    wrapper.close_pool()
