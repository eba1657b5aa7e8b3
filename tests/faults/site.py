"""A site whose processes can be killed one by one; it notes what tools really did there."""

import random
from pathlib import Path
from typing import Any

import psycopg

from tests.prepared import Prepared
from tests.servers import Forked, Running, environment
from tests.services import free_port

# What tools really did, whoever says so.
NOTED = """
CREATE TABLE written (run_id bigint, path text);
CREATE FUNCTION note_writing() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO written VALUES (NEW.run_id, NEW.path); RETURN NULL; END $$;
CREATE TRIGGER note_writing AFTER INSERT OR UPDATE ON agents_runfile
FOR EACH ROW EXECUTE FUNCTION note_writing();
"""


class Site:
    """One web server and its database, and the workers beside it."""

    def __init__(self, folder: Path, database_url: str, **variables: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self.chance = random.Random(5)
        self.command = Prepared(
            environment(folder / "files", AGENTPIPE_RATE_MESSAGES="0", **variables)
        )
        self.port = free_port()
        self.web: Running | None = None
        self.workers: list[Running] = []

    def open(self, *options: str) -> None:
        """The web server, with these options of `up`; again, after it was killed."""
        self.web = self._run(*options, port=self.port)
        self.web.await_ready()

    def add_worker(self) -> Running:
        worker = self._run(port=free_port())
        self.workers.append(worker)
        worker.await_ready()
        return worker

    def close(self) -> None:
        for running in [*self.workers, *([self.web] if self.web else [])]:
            if running.process.poll() is None:
                running.stop()
        self.command.stop()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query.encode()).fetchall()

    def note_writing(self) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(NOTED.encode())

    def _run(self, *options: str, port: int) -> Running:
        return Forked(self.command, self.folder / "files", *options, port=port)
