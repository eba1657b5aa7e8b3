"""The scaled-out form without containers: web servers and workers around one database and Redis."""

import signal
from pathlib import Path

from tests.prepared import Prepared
from tests.servers import KEY, Forked, environment
from tests.services import free_port

RATES = ("BRIDGE", "EVENTS", "INGEST", "MESSAGES", "STREAMS", "UPLOAD")


class Topology:
    """So many processes of each kind, as docker-compose.yml has them, each on a port of its own."""

    def __init__(
        self, folder: Path, *, webs: int, workers: int, database_url: str, redis_url: str
    ) -> None:
        self.folder = folder
        self.database_url = database_url
        variables = {
            "AGENTPIPE_LOCAL": "0",
            "AGENTPIPE_BRIDGE_API_KEY": KEY,
            "AGENTPIPE_SECRET_KEY": "the same for all of the processes of a site",
            **{f"AGENTPIPE_RATE_{name}": "0" for name in RATES},
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
        }
        # What they share besides the database: the files that wait to be imported.
        self.command = Prepared(environment(folder, **variables))
        names = [f"web-{number}" for number in range(webs)]
        names += [f"worker-{number}" for number in range(workers)]
        self.ports = {name: free_port() for name in names}
        self.running: dict[str, Forked] = {}

    @property
    def urls(self) -> list[str]:
        """Where clients go: workers are not for them."""
        return [f"http://127.0.0.1:{port}" for name, port in self.ports.items() if "web" in name]

    def start(self, *names: str) -> None:
        """These of them, or all; what still runs is left alone."""
        begun = [name for name in names or self.ports if not self.is_running(name)]
        for name in begun:
            options = ["--no-worker"] if name.startswith("web") else []
            self.running[name] = Forked(self.command, self.folder, *options, port=self.ports[name])
        for name in begun:
            self.running[name].await_ready()

    def is_running(self, name: str) -> bool:
        return name in self.running and self.running[name].process.poll() is None

    def restart(self, name: str) -> tuple[int, str, str]:
        """As an upgrade does it: asked to stop, waited for, started anew; how it ended."""
        ended = self.running[name].stop(signal.SIGTERM)
        self.start(name)
        return ended

    def kill(self, name: str) -> None:
        """As kill -9 does it: no farewell to anybody."""
        self.running[name].stop(signal.SIGKILL)

    def stop(self) -> None:
        for name in self.running:
            if self.is_running(name):
                self.running[name].process.send_signal(signal.SIGTERM)
        for running in self.running.values():
            running.finish()
        self.command.stop()
