"""`manage.py`, but the door for single events writes each of them in a transaction of its own.

It shows what the line in front of that door is worth: everything else is as it is.
"""

import os

import django
from channels.db import database_sync_to_async
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentpipe.settings")
    django.setup()
    _write_each_alone()
    execute_from_command_line()


def _write_each_alone() -> None:
    from agentpipe.api import ingest_door

    write = database_sync_to_async(ingest_door._write, thread_sensitive=False)

    class NoLine(ingest_door.Line):
        async def wait_for(self, knock: ingest_door.Knock) -> ingest_door.Reply | None:
            replies: list[ingest_door.Reply | None] = await write([knock])
            return replies[0]

    # The door asks for its line when it is made, and that is when the server starts.
    ingest_door.Line = NoLine  # type: ignore[misc]


if __name__ == "__main__":
    main()
