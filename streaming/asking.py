"""Reads of the database for who waits on the loop: many in a thread hop, and the same ones once.

When thousands come back at the same moment, a hop and a connection for each would take longer than
their questions. Here a few threads go on for as long as somebody waits. Whoever asks what is asked
already, and not begun, gets the same answer: it is read after both have asked. One that was read
just now rests for a moment before it is read again, for all who have asked it meanwhile.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from django.db import close_old_connections

# One that is held up by a long read leaves others going; more keep the loop from having its turn.
THREADS = 4
# Nobody notices, and of a crowd many have come.
REST_S = 0.02

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Question:
    name: object
    read: Callable[[], Any]
    context: Context
    askers: list[asyncio.Future[Any]] = field(default_factory=list)
    answer: Any = None
    error: BaseException | None = None


async def in_database(read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a read in a thread that gives its connection back; others may share what it finds."""
    loop = asyncio.get_running_loop()
    if loop not in _of_loops:
        _of_loops[loop] = Asking()
    found: R = await _of_loops[loop].ask(read, args, kwargs)
    return found


class Asking:
    """The questions of one event loop."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: deque[Question] = deque()
        self.by_name: dict[object, Question] = {}
        # What was read just now, and who has asked it since.
        self.resting: dict[object, Question | None] = {}
        self.answered: list[Question] = []
        self.threads = 0

    def ask(
        self, read: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> asyncio.Future[R]:
        loop = asyncio.get_running_loop()
        asker: asyncio.Future[R] = loop.create_future()
        name = _name(read, args, kwargs)
        is_helped = False
        with self.lock:
            question = self.by_name.get(name) or self.resting.get(name)
            if question is None:
                question = Question(name, partial(read, *args, **kwargs), copy_context())
                if name in self.resting:
                    self.resting[name] = question
                else:
                    is_helped = self._queue(question, loop)
            question.askers.append(asker)
        if is_helped:
            loop.run_in_executor(None, self._work, loop)
        return asker

    def _queue(self, question: Question, loop: asyncio.AbstractEventLoop) -> bool:
        """Says whether one more thread is to work on it."""
        self.waiting.append(question)
        if question.name is not None:
            self.by_name[question.name] = question
            self.resting[question.name] = None
            loop.call_later(REST_S, self._rested, question.name, loop)
        is_helped = self.threads < THREADS
        self.threads += is_helped
        return is_helped

    def _rested(self, name: object, loop: asyncio.AbstractEventLoop) -> None:
        with self.lock:
            question = self.resting.pop(name)
            is_helped = question is not None and self._queue(question, loop)
        if is_helped:
            loop.run_in_executor(None, self._work, loop)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while question := self._next():
                try:
                    question.answer = question.context.run(question.read)
                except BaseException as error:
                    question.error = error
                    # It may have been the connection's fault.
                    close_old_connections()
                with self.lock:
                    self.answered.append(question)
                    is_first = len(self.answered) == 1
                if is_first:
                    loop.call_soon_threadsafe(self._tell)
        finally:
            close_old_connections()

    def _next(self) -> Question | None:
        with self.lock:
            if not self.waiting:
                self.threads -= 1
                return None
            question = self.waiting.popleft()
            self.by_name.pop(question.name, None)
            return question

    def _tell(self) -> None:
        with self.lock:
            answered, self.answered = self.answered, []
        for question in answered:
            for asker in question.askers:
                if asker.done():
                    continue
                if question.error is None:
                    asker.set_result(question.answer)
                else:
                    asker.set_exception(question.error)


def _name(read: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    """What makes two questions the same; None where that cannot be told."""
    name = (read, args, *kwargs.items())
    try:
        hash(name)
    except TypeError:
        return None
    return name


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Asking] = WeakKeyDictionary()
