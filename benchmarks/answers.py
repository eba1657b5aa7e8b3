"""Many questions asked and their answers followed by one process, cheap enough to measure with.

Answers are kept as the bytes that came, each with its moment, and are looked at when all are over.
"""

import asyncio
import json
import re
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmarks.clients import HOST
from benchmarks.processes import Pipe, next_command

FOLLOWED_WITHIN_S = 120
ASKED_AT_ONCE = 10
PIECE = 10
FRAME = re.compile(rb"data: (\{.*\})\n\n")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Answered by what was heard, when every stream has ended.

    With a question, each path is asked, a few at a time, and what it answers says where to follow.
    """

    port: int
    paths: list[str]
    question: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; moments are those of the wall clock, in seconds."""

    asked_at: float
    # When the server says that it started, and when the client knew.
    started_at: float
    started_here_at: float
    ended_here_at: float
    text: str
    # For each event with pieces: how many, when the first was produced, when they were here.
    pieces: list[tuple[int, float, float]] = field(repr=False)
    is_in_order: bool

    @property
    def first_piece_at(self) -> float:
        return self.pieces[0][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    answers: list[Answer]
    busy_s: float


def numbered(pieces: int) -> str:
    """A text of so many pieces of the same length, each of which says which it is."""
    return "".join(f"piece {number:03} "[-PIECE:] for number in range(pieces))


async def main(pipe: "Pipe") -> None:
    while isinstance(command := await next_command(pipe), Follow):
        busy_s = time.process_time()
        async with asyncio.timeout(FOLLOWED_WITHIN_S):
            turn = asyncio.Semaphore(ASKED_AT_ONCE)
            came = await asyncio.gather(*(_follow(command, path, turn) for path in command.paths))
        busy_s = time.process_time() - busy_s
        pipe.send(Heard(answers=[_answer(*one) for one in came], busy_s=busy_s))


Marks = list[tuple[int, float]]


async def _follow(wanted: Follow, path: str, turn: asyncio.Semaphore) -> tuple[float, bytes, Marks]:
    """When it was asked, all that came, and how much of it when."""
    async with turn:
        asked_at = time.time()
        if wanted.question is not None:
            path = await _ask(wanted.port, path, wanted.question)
    reader, writer = await asyncio.open_connection(HOST, wanted.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{wanted.port}\r\n\r\n".encode())
    came = bytearray()
    marks: Marks = []
    while chunk := await reader.read(65536):
        came += chunk
        marks.append((len(came), time.time()))
        if b'"type":"end"' in chunk:
            break
    writer.close()
    return asked_at, bytes(came), marks


async def _ask(port: int, path: str, question: Json) -> str:
    reader, writer = await asyncio.open_connection(HOST, port)
    body = json.dumps(question).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    head, _, found = answer.decode().partition("\r\n\r\n")
    if not head.startswith("HTTP/1.1 201"):
        raise ConnectionError(answer.decode())
    address: str = json.loads(found)["stream_url"]
    return address


def _answer(asked_at: float, came: bytes, marks: Marks) -> Answer:
    ends = [end for end, _ in marks]
    steps: list[tuple[Json, float]] = []
    for found in FRAME.finditer(came):
        here_at = marks[bisect_left(ends, found.end())][1]
        steps.append((json.loads(found[1]), here_at))
    (start, started_here_at), (end, ended_here_at) = steps[0], steps[-1]
    if (start["type"], end["type"]) != ("start", "end"):
        raise ConnectionError(came[:1000].decode())
    told = [(step, here_at) for step, here_at in steps if step["type"] == "content"]
    return Answer(
        asked_at=asked_at,
        started_at=_moment(start),
        started_here_at=started_here_at,
        ended_here_at=ended_here_at,
        text="".join(step["md"] for step, _ in told),
        pieces=[(len(step["md"]) // PIECE, _moment(step), here_at) for step, here_at in told],
        is_in_order=[int(step["id"].split("_")[1]) for step, _ in steps]
        == list(range(1, len(steps) + 1)),
    )


def _moment(step: Json) -> float:
    return datetime.fromisoformat(step["ts"]).timestamp()
