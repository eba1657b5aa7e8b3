"""Promises to those who ask the database from the loop."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from itertools import count

import pytest
from django.db import OperationalError, connection

from streaming import asking
from streaming.asking import THREADS, in_database
from tests.clients import DEADLINE_S, eventually

pytestmark = pytest.mark.django_db(transaction=True)


def one() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        found: int = cursor.fetchone()[0]
        return found


class Held:
    """Reads that hold every thread until they are let go."""

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.begun: list[int] = []
        self.tasks = [asyncio.create_task(in_database(self.read(n))) for n in range(THREADS)]

    def read(self, number: int) -> Callable[[], None]:
        def hold() -> None:
            self.begun.append(number)
            assert self.may_go.wait(DEADLINE_S)

        return hold

    async def let_go(self) -> None:
        self.may_go.set()
        await asyncio.gather(*self.tasks)


async def test_who_asks_the_same_while_it_is_waiting_gets_the_same_answer() -> None:
    asked: list[str] = []
    held = Held()
    await eventually(lambda: len(held.begun) == THREADS)
    asking = [asyncio.create_task(in_database(asked.append, word)) for word in ("a", "b", "a", "a")]
    await asyncio.sleep(0)
    await held.let_go()
    await asyncio.gather(*asking)
    assert sorted(asked) == ["a", "b"]


async def test_what_has_begun_is_asked_again() -> None:
    begun, may_end, numbers = threading.Event(), threading.Event(), count()

    def read() -> int:
        number = next(numbers)
        begun.set()
        assert may_end.wait(DEADLINE_S)
        return number

    first = asyncio.create_task(in_database(read))
    await eventually(begun.is_set)
    second = asyncio.create_task(in_database(read))
    await asyncio.sleep(0)
    may_end.set()
    assert [await first, await second] == [0, 1]


async def test_what_was_read_just_now_is_read_once_for_all_who_ask_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "REST_S", 2.0)
    read = partial(next, count())
    first = await in_database(read)
    hasty = asyncio.create_task(in_database(read))
    # There is a thread that would have begun with it by now.
    await in_database(one)
    late = asyncio.create_task(in_database(read))
    assert [first, await hasty, await late] == [0, 1, 1]


async def test_one_who_gives_up_takes_the_answer_from_nobody() -> None:
    held = Held()
    await eventually(lambda: len(held.begun) == THREADS)
    hasty, patient = (asyncio.create_task(in_database(one)) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    await held.let_go()
    assert await patient == 1
    assert hasty.cancelled()


async def test_after_an_error_the_next_question_has_a_connection_that_works() -> None:
    def break_off() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    broken = [in_database(break_off) for _ in range(2 * THREADS)]
    found = await asyncio.gather(
        *broken, *(in_database(one) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(error, OperationalError) for error in found[: 2 * THREADS])
    assert found[2 * THREADS :] == [1, 1, 1]


async def test_everybody_is_answered_however_many_ask() -> None:
    async with asyncio.timeout(DEADLINE_S):
        found = await asyncio.gather(*(in_database(divmod, n, 7) for n in range(500)))
    assert found == [divmod(n, 7) for n in range(500)]
