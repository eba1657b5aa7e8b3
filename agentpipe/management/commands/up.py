"""The whole server in one process: database, migrations, web and worker."""

import asyncio
import errno
import ipaddress
import signal
import socket
from argparse import ArgumentParser
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from procrastinate.contrib.django import connector_params

from agentpipe import env, server, telemetry
from agentpipe.database import let_database_go
from agentpipe.embedded import Postgres
from agentpipe.env import BadSetting
from conversations.access import default_project
from streaming import volumes

# An arbitrary number that every process of this project agrees on.
MIGRATING = 4_201_170_801
ADMIN = "admin"
STALLED_S = 60
SHORTEST_KEY = 16

logger = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Run the whole server in one process: database, migrations, web and worker."
    # They are run below, where what they find is said as all else that stops a start.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--no-worker", action="store_true", help="leave jobs to other processes"
        )

    def handle(self, *args: Any, no_worker: bool = False, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        postgres = None if env.text("DATABASE_URL") else Postgres(settings.DATA_DIR)
        try:
            check_settings()
            if postgres:
                postgres.claim(serving=address())
            with open_door() as door, telemetry.taking_traces():
                self.bring_up(door, postgres, with_worker=not no_worker)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        finally:
            let_database_go()
            if postgres:
                postgres.stop()

    def bring_up(
        self, door: socket.socket, postgres: Postgres | None, *, with_worker: bool
    ) -> None:
        if postgres:
            postgres.start()
        prepare_database()
        given_key = settings.BRIDGE_API_KEY
        settings.BRIDGE_API_KEY = given_key or env.kept_secret(settings.BRIDGE_API_KEY_FILE)
        server.run(
            door,
            with_worker=with_worker,
            announce=lambda: self.announce(postgres.notes if postgres else []),
            every_second=reviving(postgres) if postgres else None,
        )
        self.stdout.write("Stopped.")

    def announce(self, notes: list[str]) -> None:
        password = admin_password_file()
        lines = [f"AgentPipe is ready: {self.style.SUCCESS(address())}", ""]
        # Secrets are said to whoever stands before this machine. What services and containers say
        # is kept in many places: they name the files.
        key = settings.BRIDGE_API_KEY
        if given := env.text("AGENTPIPE_BRIDGE_API_KEY"):
            if len(given) < SHORTEST_KEY:
                notes = [*notes, "AGENTPIPE_BRIDGE_API_KEY is so short that it can be guessed."]
        else:
            place = f"is in {settings.BRIDGE_API_KEY_FILE}"
            lines += [f"  bridge API key  {key if settings.LOCAL_MODE else place}"]
        if password.exists():
            login = f" / {password.read_text().strip()}"
            place = f", whose first password is in {password}"
            lines += [f"  admin login     {ADMIN}{login if settings.LOCAL_MODE else place}"]
        lines += [f"  note            {note}" for note in notes]
        self.stdout.write("\n".join([*lines, "", "Press Ctrl-C to stop."]))
        self.stdout.flush()


def address() -> str:
    host = "127.0.0.1" if settings.HOST in {"0.0.0.0", "::"} else settings.HOST  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}/"


def check_settings() -> None:
    faults = [fault.msg for fault in run_checks() if fault.is_serious()]
    if faults:
        raise BadSetting(" ".join(faults))
    if settings.LOCAL_MODE and not _is_loopback(settings.HOST):
        raise BadSetting(
            f"AGENTPIPE_LOCAL lets everyone in who can reach the server, so AGENTPIPE_HOST "
            f"must be 127.0.0.1 and not {settings.HOST}. Change one of the two."
        )


def open_door() -> socket.socket:
    """The listening socket, taken before anything is started that would have to be stopped."""
    family = socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit it: a peer that takes nothing for so long is let go.
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_S * 1000)
        door.bind((settings.HOST, settings.PORT))
        door.listen(2048)
    except OSError as error:
        door.close()
        if error.errno == errno.EADDRINUSE:
            raise BadSetting(
                f"port {settings.PORT} of {settings.HOST} is taken by another program. "
                "Stop that one, or set PORT to another number."
            ) from error
        raise BadSetting(
            f"the server cannot listen on {settings.HOST}, port {settings.PORT} "
            f"({error.strerror}). Change AGENTPIPE_HOST or PORT."
        ) from error
    return door


def prepare_database() -> None:
    """Make the tables, the first project and the first login; processes take turns."""
    with reach_database() as reached:
        reached.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=0)
        volumes.open_ahead()
        default_project()
        make_admin()


@contextmanager
def reach_database() -> Iterator["psycopg.Connection[Any]"]:
    # Not through the pool, which would go on trying for as long as it may.
    database = settings.DATABASES["default"]
    try:
        reached = psycopg.connect(**connector_params(), autocommit=True)
    except psycopg.OperationalError as error:
        said = [line for line in str(error).splitlines() if not line.startswith("\t")]
        reason = said[-1].removeprefix("connection failed: ")
        raise BadSetting(
            f"the database {database['NAME']} at {database['HOST']} cannot be reached ({reason}). "
            "Start it, or change DATABASE_URL."
        ) from error
    with reached:
        yield reached


def make_admin() -> None:
    """Someone must be able to log in: a superuser with a password kept in the data directory."""
    if not User.objects.filter(is_superuser=True).exists():
        password = env.kept_secret(admin_password_file(), random_bytes=12)
        User.objects.create_superuser(ADMIN, password=password)


def admin_password_file() -> Path:
    folder: Path = settings.DATA_DIR
    return folder / "admin_password"


def reviving(postgres: Postgres) -> Callable[[], Coroutine[Any, Any, None]]:
    """What to do every second so that a killed PostgreSQL comes back."""

    async def revive() -> None:
        if postgres.is_running():
            return
        logger.error("database.died")
        try:
            await asyncio.to_thread(postgres.start)
        except BadSetting as problem:
            logger.error("database.not_started", reason=str(problem))

    return revive


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
