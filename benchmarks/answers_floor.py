"""The floor of streamed answers: a server that writes them from memory, a piece at a time."""

import asyncio
import json
import time
from datetime import UTC, datetime

from benchmarks.answers import PIECE, numbered
from benchmarks.clients import HOST
from benchmarks.processes import Pipe, next_command

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


async def main(pipe: "Pipe") -> None:
    """Streams `/{pieces}/{pieces a second}`."""
    server = await asyncio.start_server(_stream, HOST, 0)
    pipe.send(server.sockets[0].getsockname()[1])
    while await next_command(pipe):
        pipe.send(time.process_time())


async def _stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
    pieces, pace = map(int, path.strip(b"/").split(b"/"))
    clock = asyncio.get_running_loop().time
    writer.write(HEAD + _frame(1, "start"))
    began = clock()
    for number, text in enumerate(_cut(numbered(pieces))):
        if number:
            await asyncio.sleep(max(0.0, began + number / pace - clock()))
        writer.write(_frame(number + 2, "content", md=text))
        await writer.drain()
    writer.write(_frame(pieces + 2, "end"))
    await writer.drain()
    writer.close()


def _frame(number: int, kind: str, **data: str) -> bytes:
    now = datetime.now(UTC)
    name = f"{now.timestamp() * 1000:.0f}_{number:04}_00000000"
    step = {"v": 1, "type": kind, "id": name, "ts": now.isoformat(), **data}
    written = json.dumps(step, separators=(",", ":"))
    return f"event: {kind}\nid: {name}\ndata: {written}\n\n".encode()


def _cut(text: str) -> list[str]:
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
