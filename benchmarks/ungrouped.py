"""`manage.py`, but the door for single events writes each of them in a transaction of its own.

It shows what the line in front of that door is worth: everything else is as it is.
"""

import os

import django
from django.core.management import execute_from_command_line

# As many as the server has to its database.
CONNECTIONS = 20


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentpipe.settings")
    django.setup()
    _write_each_alone()
    execute_from_command_line()


def _write_each_alone() -> None:
    from agentpipe.api import ingest_door

    # The door makes its lines when it is made, and that is when the server starts.
    ingest_door.MOST_TOGETHER = 1
    ingest_door.MOST_WRITING = CONNECTIONS


if __name__ == "__main__":
    main()
