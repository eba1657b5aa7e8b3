"""A road to a server on which anything may happen."""

import asyncio
from contextlib import suppress
from typing import Self

CHUNK = 64 * 1024


class Proxy:
    """Forwards what comes to `port`; slowly, in one direction only, or not at all.

    What is held back is kept and goes on later, as TCP would have it; connections that are
    stranded never hear anything again, and are not told.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay_s = 0.0
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self._roads: set[asyncio.Task[None]] = set()
        self.heal()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._come, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._roads, return_exceptions=True)

    def block(self, *, there: bool, back: bool) -> None:
        for gate, is_blocked in ((self._there, there), (self._back, back)):
            if is_blocked:
                gate.clear()
            else:
                gate.set()

    def heal(self) -> None:
        self.delay_s = 0.0
        self.block(there=False, back=False)

    def strand(self) -> None:
        """Those who are connected; whoever comes anew finds all in order."""
        self.block(there=True, back=True)
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self.heal()

    def cut(self) -> None:
        for road in self._roads:
            road.cancel()

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        road = asyncio.current_task()
        assert road
        self._roads.add(road)
        there, back = self._there, self._back
        try:
            out, into = await asyncio.open_connection("127.0.0.1", self.target)
            try:
                async with asyncio.TaskGroup() as ways:
                    ways.create_task(self._forward(reader, into, there))
                    ways.create_task(self._forward(out, writer, back))
            finally:
                into.transport.abort()
        except (OSError, asyncio.CancelledError):
            return  # as abruptly as it is meant to be
        finally:
            self._roads.discard(road)
            writer.transport.abort()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event
    ) -> None:
        while chunk := await reader.read(CHUNK):
            await asyncio.sleep(self.delay_s)
            await gate.wait()
            writer.write(chunk)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()
