"""The scaled-out form without containers: web servers and workers around one database and Redis."""

import signal
from pathlib import Path

from tests.servers import KEY, Running
from tests.services import free_port


class Topology:
    """So many processes of each kind, as docker-compose.yml has them, each on a port of its own."""

    def __init__(
        self, folder: Path, *, webs: int, workers: int, database_url: str, redis_url: str
    ) -> None:
        self.folder = folder
        self.variables = {
            "AGENTPIPE_LOCAL": "0",
            "AGENTPIPE_BRIDGE_API_KEY": KEY,
            "AGENTPIPE_SECRET_KEY": "the same for all of the processes of a site",
            "AGENTPIPE_RATE_BRIDGE": "0",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
        }
        names = [f"web-{number}" for number in range(webs)]
        names += [f"worker-{number}" for number in range(workers)]
        self.ports = {name: free_port() for name in names}
        self.running: dict[str, Running] = {}

    @property
    def urls(self) -> list[str]:
        """Where clients go: workers are not for them."""
        return [f"http://127.0.0.1:{port}" for name, port in self.ports.items() if "web" in name]

    def start(self) -> None:
        for name in self.ports:
            self._begin(name)

    def restart(self, name: str) -> tuple[int, str, str]:
        """As an upgrade does it: asked to stop, waited for, started anew; how it ended."""
        ended = self.running[name].stop(signal.SIGTERM)
        self._begin(name)
        return ended

    def stop(self) -> None:
        for running in self.running.values():
            if running.process.poll() is None:
                running.stop()

    def _begin(self, name: str) -> None:
        options = ["--no-worker"] if name.startswith("web") else []
        self.running[name] = Running(
            self.folder / name, *options, **self.variables, PORT=str(self.ports[name])
        )
        self.running[name].await_ready()
