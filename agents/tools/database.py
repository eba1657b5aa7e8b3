"""Where tools cross to the database."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError

from agents.errors import BackendUnavailable

P = ParamSpec("P")
R = TypeVar("R")


async def in_database(look: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """In a thread of its own: a long search is not to hold up what else the worker does.

    A database that is away is no finding to tell the agent of: the whole is tried again.
    """
    try:
        found: R = await database_sync_to_async(look, thread_sensitive=False)(*args, **kwargs)
    except (OperationalError, InterfaceError) as error:
        raise BackendUnavailable("The database is away") from error
    return found
