"""Which peers there are, what each needs, and how one is started and told to tell."""

import importlib.util
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.agentpipe_server import ROOT
from benchmarks.clients import Form
from benchmarks.peers import nchan_server
from benchmarks.processes import family_bytes, family_cpu_s
from benchmarks.redis_server import redis_program, redis_server

SOCKETIO = Path(__file__).parent / "socketio"
READY_WITHIN_S = 120
FETCHED_WITHIN_S = 180
STOPPED_WITHIN_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    name: str
    form: Form
    command: Sequence[str]
    # Why it cannot be had; None where it can.
    lacks: Callable[[], str | None]
    needs_redis: bool = False
    is_greeted: bool = True
    # What it adds to a text, so that its frames are as large as those of the others.
    frame_bytes: int = 0
    # Of the events that others are given: the slow need not take minutes.
    share: float = 1.0


class Told:
    """A peer that runs."""

    def __init__(self, peer: Peer, process: "subprocess.Popen[str]") -> None:
        self.peer = peer
        self._process = process
        self.port = self._read_port()

    def tell(self, *, events: int, size: int, gap_s: float = 0.0) -> None:
        """Asks, and does not wait for it."""
        assert self._process.stdin
        asked = {"events": events, "bytes": size - self.peer.frame_bytes, "gap_s": gap_s}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()

    def cpu_s(self) -> float:
        return family_cpu_s(self._process.pid)

    def resident_bytes(self) -> int:
        return family_bytes(self._process.pid)

    def _read_port(self) -> int:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], READY_WITHIN_S)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            raise RuntimeError(f"{self.peer.name} did not start")
        return int(line)


@contextmanager
def started(peer: Peer) -> Iterator[Told]:
    with ExitStack() as stack:
        environment = dict(os.environ)
        if peer.needs_redis:
            environment["REDIS_URL"] = stack.enter_context(redis_server()).url
        process = subprocess.Popen(
            peer.command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Told(peer, process)
        finally:
            _stop(process)


def _stop(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.close()
    try:
        process.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()


def _package(name: str, *, needs_redis: bool = False) -> Callable[[], str | None]:
    def lacks() -> str | None:
        if importlib.util.find_spec(name) is None:
            return f"the package {name} is not installed (uv sync --group bench)"
        return _lacks_redis() if needs_redis else None

    return lacks


def _lacks_redis() -> str | None:
    try:
        redis_program()
    except RuntimeError as error:
        return str(error)
    return None


def _lacks_socketio() -> str | None:
    """Node's packages are fetched when they are first needed."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "there is no Node"
    if not (SOCKETIO / "node_modules" / "socket.io").exists():
        command = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
        try:
            subprocess.run(command, cwd=SOCKETIO, check=True, timeout=FETCHED_WITHIN_S)
        except (subprocess.SubprocessError, OSError):
            return "its packages cannot be fetched"
    return _lacks_redis()


def _lacks_nchan() -> str | None:
    if nchan_server.find():
        return None
    return "there is no nginx with its module (Debian: apt install nginx libnginx-mod-nchan)"


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.peers.{module}"]


FLOOR = "websockets.broadcast"
SOCKET_IO = "socket.io + Redis"
SSE_STARLETTE = "sse-starlette"
DJANGO_EVENTSTREAM = "django-eventstream"
ALL = (
    Peer(
        name=FLOOR,
        form="websocket",
        command=_python("websockets_broadcast"),
        lacks=_package("websockets"),
        frame_bytes=4,
    ),
    Peer(
        name="picows",
        form="websocket",
        command=_python("picows_server"),
        lacks=_package("picows"),
        frame_bytes=4,
    ),
    Peer(
        name=SOCKET_IO,
        form="socket.io",
        command=["node", str(SOCKETIO / "server.mjs")],
        lacks=_lacks_socketio,
        needs_redis=True,
        frame_bytes=14,
    ),
    Peer(
        name="nchan",
        form="websocket",
        command=_python("nchan_server"),
        lacks=_lacks_nchan,
        is_greeted=False,
        frame_bytes=4,
    ),
    Peer(
        name="Channels groups",
        form="websocket",
        command=_python("channels_groups"),
        lacks=_package("daphne", needs_redis=True),
        needs_redis=True,
        frame_bytes=4,
        share=0.1,
    ),
    Peer(
        name=SSE_STARLETTE,
        form="sse",
        command=_python("sse_starlette_server"),
        lacks=_package("sse_starlette"),
        frame_bytes=13,
        share=0.5,
    ),
    Peer(
        name=DJANGO_EVENTSTREAM,
        form="sse",
        command=_python("eventstream_server"),
        lacks=_package("django_eventstream"),
        frame_bytes=30,
        share=0.1,
    ),
)
