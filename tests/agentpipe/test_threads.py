"""The threads that requests to Django run in."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.current_thread_executor import CurrentThreadExecutor
from asgiref.sync import sync_to_async

from agentpipe.threads import KeptThreads
from streaming.sse import let_go_of_the_thread
from tests.clients import Api

Work = Callable[[], Awaitable[None]]
PATIENCE_S = 30


class Requests:
    """Requests to an application that does what each of them asks for, and then answers."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.door = KeptThreads(self._serve)

    async def send(self, work: Work | None = None) -> None:
        await self.door({"work": work}, None, self._hear)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        self.threads.append(await sync_to_async(threading.get_ident)())
        if scope["work"]:
            await scope["work"]()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b""})

    async def _hear(self, message: Any) -> None:
        pass


async def test_one_after_the_other_they_share_a_thread() -> None:
    requests = Requests()

    for _ in range(3):
        await requests.send()

    assert len(requests.threads) == 3
    assert len(set(requests.threads)) == 1


async def test_at_once_each_has_one_to_itself() -> None:
    requests = Requests()
    together = asyncio.Barrier(3)

    async def meet() -> None:
        await together.wait()

    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(requests.send(meet) for _ in range(3)))

    assert len(set(requests.threads)) == 3


async def test_a_view_whose_client_has_left_keeps_nobody_waiting() -> None:
    requests = Requests()
    begun, over = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        over.wait(PATIENCE_S)

    async def give_up() -> None:
        working = asyncio.create_task(sync_to_async(work)())
        await asyncio.to_thread(begun.wait, PATIENCE_S)
        working.cancel()
        raise asyncio.CancelledError

    try:
        with pytest.raises(asyncio.CancelledError):
            await requests.send(give_up)
        async with asyncio.timeout(PATIENCE_S / 2):
            await requests.send()
    finally:
        over.set()


async def test_a_stream_that_let_go_of_its_thread_leaves_none_behind() -> None:
    requests = Requests()

    async def stream() -> None:
        let_go_of_the_thread()

    await requests.send(stream)
    await requests.send()

    assert requests.door.free[0].submit(threading.get_ident).result() == requests.threads[1]
    assert len(requests.door.free) == 1


async def test_a_request_changes_threads_for_its_view_and_not_for_each_middleware(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[str] = []

    def noting(submit: Any) -> Any:
        def note(self: Any, work: Any, *args: Any, **named: Any) -> Any:
            changes.append(repr(work))
            return submit(self, work, *args, **named)

        return note

    await api.get("/api/conversations")
    for executor in (ThreadPoolExecutor, CurrentThreadExecutor):
        monkeypatch.setattr(executor, "submit", noting(executor.submit))
    await api.get("/api/conversations")

    # The signal, all middleware, what guards the view, the view, how it is shown, the end.
    assert len(changes) <= 6, "\n".join(changes)
