"""A server of its own for the client, and the `agentpipe` command as a process."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentpipe_client import AgentPipe
from tests.python_client.running import Running
from tests.servers import KEY, Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A test that kills it starts it again."""
    server = Server(is_local=False)
    try:
        server.start()
        yield server
    finally:
        server.discard()


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
def client(server: Server, key: str) -> Iterator[AgentPipe]:
    with AgentPipe(server.url, key) as client:
        yield client


Run = Callable[..., Running]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start the command with its state in a folder of the test; what still runs is killed."""
    started: list[Running] = []

    def run(*arguments: str | Path, url: str, key: str = "key", **variables: str) -> Running:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "AGENTPIPE_URL": url,
            "AGENTPIPE_API_KEY": key,
            **variables,
        }
        started.append(Running([str(argument) for argument in arguments], environment))
        return started[-1]

    yield run
    for running in started:
        running.kill()
