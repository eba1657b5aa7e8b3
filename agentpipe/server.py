"""The web server and, in the same loop, the worker: started together, stopped in order."""

import asyncio
import resource
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from types import FrameType

import structlog
import uvicorn
from django.conf import settings
from procrastinate.contrib.django import app as jobs
from procrastinate.contrib.django.django_connector import DjangoConnector

from agentpipe import logs
from agentpipe.connections import Connection, let_go_of_the_overdue
from agentpipe.garbage import Collector
from agentpipe.rescue import GIVEN_UP_AFTER_S, keep_rescuing
from agentpipe.sockets import Socket, look_after
from agents import roster
from streaming import hub

MIB = 1024 * 1024
MOST_FILES = 100_000
TICKS_A_SECOND = 10
PING_TIMEOUT_S = 20
REQUESTS_END_WITHIN_S = 10
JOBS_END_WITHIN_S = 5
JOBS_AT_ONCE = 250
WORKER_REST_S = 1.0
WORKER_REST_MOST_S = 30.0
HEARTBEAT_S = 2.0
# PostgreSQL notifies of new jobs, and not of those that are tried again.
JOBS_LOOKED_FOR_EVERY_S = 1.0

logger = structlog.get_logger(__name__)


def run(
    door: socket.socket,
    *,
    with_worker: bool,
    announce: Callable[[], None],
    every_second: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; a second one raises KeyboardInterrupt instead of waiting."""
    allow_many_connections()
    server = Server(configuration(), announce, every_second)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(_serve(server, door, with_worker=with_worker))


def configuration() -> uvicorn.Config:
    return uvicorn.Config(
        "agentpipe.asgi:application",
        http=Connection,
        ws=Socket,
        ws_ping_interval=settings.STREAM_HEARTBEAT_S,
        ws_ping_timeout=PING_TIMEOUT_S,
        ws_max_size=2 * MIB,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.BEHIND_TLS,
        timeout_graceful_shutdown=REQUESTS_END_WITHIN_S,
    )


def allow_many_connections() -> None:
    """Each is an open file, and what a process may have of them at first is often but 1024."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(MOST_FILES, most)
    if now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class Server(uvicorn.Server):
    """Uvicorn that says when it is ready and sends followers away before it waits for them."""

    def __init__(
        self,
        config: uvicorn.Config,
        announce: Callable[[], None],
        every_second: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(config)
        self.announce = announce
        self.every_second = every_second
        # At the beginning of this second.
        self.here: list[object] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.collector = Collector()
        self.announce()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_SECOND == 0:
            let_go_of_the_overdue(self.server_state.connections)
            self.here = list(self.server_state.connections)
            self.collector.review()
            # Uvicorn's own way counts by a clock that may be set back.
            if self.every_second:
                await self.every_second()
        # A tenth at a time: those who have come together are not pinged together.
        look_after(self.here[counter % TICKS_A_SECOND :: TICKS_A_SECOND])
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await hub.close()
        await super().shutdown(sockets)
        self.collector.close()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            raise KeyboardInterrupt
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # Uvicorn's own raises the signal again at the end, and would make an orderly stop a crash.
        known = {number: signal.signal(number, self.handle_exit) for number in STOPPING}
        try:
            yield
        finally:
            for number, handler in known.items():
                signal.signal(number, handler)


# A terminal that is closed sends SIGHUP.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def _serve(server: Server, door: socket.socket, *, with_worker: bool) -> None:
    worker = asyncio.create_task(keep_working()) if with_worker else None
    try:
        await server.serve(sockets=[door])
    finally:
        if worker is not None:
            worker.cancel()
            # What is still going after that is cancelled once more as the loop closes.
            done, _ = await asyncio.wait({worker}, timeout=2 * JOBS_END_WITHIN_S)
            if any(not task.cancelled() and task.exception() for task in done):
                logger.warning("worker.stopped_without_database")


async def keep_working() -> None:
    """Run the worker, and run it again when it crashes: the web server goes on meanwhile."""
    # Libraries of models take seconds to import: no reason to wait, here or when all is stopped.
    threading.Thread(target=roster.load, name="backend", daemon=True).start()
    clock = asyncio.get_running_loop().time
    task = asyncio.current_task()
    rest_s = WORKER_REST_S
    while True:
        began = clock()
        try:
            await _work()
        except Exception:
            # Cancelled without a database, it raises what it met last, not CancelledError.
            if task is None or task.cancelling():
                raise
            logger.exception("worker.crashed", again_in_s=rest_s)
        if clock() - began > WORKER_REST_MOST_S:
            rest_s = WORKER_REST_S
        await asyncio.sleep(rest_s)
        rest_s = min(2 * rest_s, WORKER_REST_MOST_S)


async def _work() -> None:
    # An app of its own: requests go on queueing jobs in Django's connection and transaction.
    connector = jobs.connector
    assert isinstance(connector, DjangoConnector)
    worker = jobs.with_connector(connector.get_worker_connector())
    async with worker.open_async():
        rescuing = asyncio.create_task(keep_rescuing(worker.job_manager))
        try:
            await worker.run_worker_async(
                concurrency=JOBS_AT_ONCE,
                install_signal_handlers=False,
                fetch_job_polling_interval=JOBS_LOOKED_FOR_EVERY_S,
                shutdown_graceful_timeout=JOBS_END_WITHIN_S,
                update_heartbeat_interval=HEARTBEAT_S,
                stalled_worker_timeout=GIVEN_UP_AFTER_S,
                delete_jobs="successful",
                worker_middleware=[logs.name_job],
            )
        finally:
            rescuing.cancel()
