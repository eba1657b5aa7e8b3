"""The tables of this version, made once in a run: the databases of a run are copies of them."""

import os

import psycopg
from django.core.management import call_command
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from tests.services import name_of_tables

# An arbitrary number that every process of a run agrees on.
MAKING_TABLES = 4_201_170_803


def make_tables() -> None:
    """By whichever process of the run comes first; the others wait for it."""
    name = name_of_tables()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [MAKING_TABLES])
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
            draft = f"{name}_draft"
            connection.execute(f"CREATE DATABASE {draft}".encode())
            _migrate(draft)
            connection.execute(f"ALTER DATABASE {draft} RENAME TO {name}".encode())


def _migrate(database: str) -> None:
    wrapper = connections["default"]
    assert isinstance(wrapper, DatabaseWrapper)
    configured = wrapper.settings_dict["NAME"]
    wrapper.settings_dict["NAME"] = database
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        wrapper.settings_dict["NAME"] = configured
        let_go(wrapper)


def let_go(wrapper: DatabaseWrapper) -> None:
    """Idle connections, too: a database that is in use is neither copied nor dropped."""
    wrapper.close()
    wrapper.close_pool()  # type: ignore[attr-defined]  # not in the stubs
