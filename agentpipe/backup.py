"""A whole site in one folder, and back: the database as pg_dump has it, and the files beside it."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import connection

from agentpipe.database import the_database
from agentpipe.embedded import find_programs

DUMP = "database.dump"
# Of the data directory, what the database does not hold.
FILES = ("secret_key", "bridge_api_key", "admin_password", "imports")


class Refused(Exception):
    """Nothing was saved, or brought back; the message says why."""


def save(folder: Path) -> None:
    """While it goes on: the database as of one moment, and the files as of just before it."""
    if folder.exists():
        raise Refused(f"{folder} exists. Name a folder that does not: nothing is overwritten.")
    # Renamed when it is complete: what was broken off must not look like a backup.
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(mode=0o700, parents=True)
        _copy(settings.DATA_DIR, draft)
        options = ["--format=custom", "--no-owner", "--no-privileges"]
        with the_database():
            _run("pg_dump", *options, f"--file={draft / DUMP}")
        (draft / DUMP).chmod(0o600)
        draft.rename(folder)
    except OSError as error:
        raise Refused(f"{folder} cannot be written ({error.strerror}).") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def bring_back(folder: Path) -> None:
    """Into a database that is empty, and its data directory: all of it or nothing."""
    dump = folder / DUMP
    if not dump.is_file():
        raise Refused(f"{folder} is no backup: it has no {DUMP}.")
    with the_database():
        if connection.introspection.table_names():
            raise Refused(
                "The database has tables. Bring it back into an empty one: set AGENTPIPE_DATA_DIR "
                "to a new folder, or DATABASE_URL to a new database."
            )
        connection.close()
        _copy(folder, settings.DATA_DIR)
        options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
        _run("pg_restore", *options, f"--dbname={_name()}", str(dump))


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (source / name).is_dir():
            shutil.copytree(
                source / name, target / name, copy_function=_copy_file, dirs_exist_ok=True
            )
        else:
            _copy_file(source / name, target / name)


def _copy_file(source: str | Path, target: str | Path) -> None:
    # Imports come and go meanwhile.
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)


def _name() -> str:
    return str(connection.settings_dict["NAME"])


def _run(program: str, *options: str) -> None:
    database = connection.settings_dict
    door = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    # In the environment, where other users of the machine cannot read it.
    variables = {name: str(database[key]) for name, key in door.items() if database[key]}
    done = subprocess.run(
        [str(find_programs() / program), *options],
        env={"LC_ALL": "C", "PGDATABASE": _name(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [os.strerror(done.returncode)]
        raise Refused(f"{program} failed: {lines[0].removeprefix(f'{program}: error: ')}")
