"""One tool with an effect in the transaction of its result, and one with an effect elsewhere."""

import asyncio
from typing import Any

from channels.db import database_sync_to_async
from django.db import connection

from workflows.tools import Arguments, InTransaction, Outside, Task

# `effects` is what was done, `calls` how often somebody tried to.
TABLES = """
CREATE TABLE effects (node text, item int, key text, by_whom text);
CREATE TABLE posted (key text PRIMARY KEY);
CREATE TABLE calls (key text);
"""


class ToDo(Arguments):
    ms: int = 250
    text: str = ""


def _note(task: Task, wanted: ToDo) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO effects VALUES (%s, %s, %s, 'note')", [task.node_id, task.item, task.key]
        )
        # Whoever is killed here has done nothing.
        cursor.execute("SELECT pg_sleep(%s)", [wanted.ms / 1000])
    return {"noted": wanted.text or task.node_id}


async def _post(task: Task, wanted: ToDo) -> Any:
    """As a service does it that takes an Idempotency-Key: known keys change nothing."""
    await database_sync_to_async(_deliver)(task)
    # Whoever is killed here has done it, and nobody has heard of it.
    await asyncio.sleep(wanted.ms / 1000)
    return {"posted": task.key}


def _deliver(task: Task) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO calls VALUES (%s)", [task.key])
        cursor.execute(
            "WITH new AS (INSERT INTO posted VALUES (%s) ON CONFLICT DO NOTHING RETURNING key)"
            " INSERT INTO effects SELECT %s, %s, key, 'post' FROM new",
            [task.key, task.node_id, task.item],
        )


note = InTransaction(description="Write it down", reads=ToDo, does=_note)
post = Outside(description="Send it", reads=ToDo, does=_post)
