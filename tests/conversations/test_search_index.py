"""What is recorded is read for search: soon, once, and by however many readers."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from conversations import search as room
from conversations.models import Conversation, Message, Project, SearchDocument, Unindexed
from conversations.search import index
from conversations.tasks import index_for_search
from tests.clients import Api
from tests.conversations.searched import found, record_many


def test_the_job_reads_what_is_waiting(project: Project) -> None:
    record_many(project, 2 * index.CHUNK + 10)

    index_for_search(0)

    assert not Unindexed.objects.exists()
    read = SearchDocument.objects.filter(message__isnull=False).values_list("message", flat=True)
    assert sorted(read) == sorted(Message.objects.values_list("pk", flat=True))


def test_a_search_leaves_a_backlog_to_the_job(project: Project) -> None:
    record_many(project, index.CHUNK + 10)

    assert room.find(project, "tigers", limit=10) == []
    index_for_search(0)
    assert len(room.find(project, "tigers", limit=10)) == 10


def test_readers_at_once_read_everything_once(project: Project) -> None:
    record_many(project, 2500)
    ready = threading.Barrier(4)

    def read() -> None:
        ready.wait()
        room.index_all()
        connection.close()

    all_of([read] * 4)

    assert not Unindexed.objects.exists()
    read_messages = list(
        SearchDocument.objects.filter(message__isnull=False).values_list("message", flat=True)
    )
    assert len(read_messages) == len(set(read_messages)) == 2500
    assert SearchDocument.objects.filter(message=None).count() == 1


def test_a_conversation_that_two_readers_read_has_one_name(project: Project) -> None:
    record_many(project, 0)
    conversation = Conversation.objects.get()
    with half_read():
        room.queue(project.pk, named=[conversation.pk], messages=[])
        room.index_all()
    room.index_all()

    assert not Unindexed.objects.exists()
    assert SearchDocument.objects.filter(conversation=conversation).count() == 1


def test_what_another_reader_has_is_waited_for(project: Project) -> None:
    record_many(project, 3)
    with half_read() as finish:
        timer = threading.Timer(0.1, finish)
        timer.start()
        assert len(room.find(project, "tigers", limit=10)) == 3
        timer.join()


def test_a_reader_that_never_finishes_delays_a_search_but_does_not_stop_it(
    project: Project,
) -> None:
    record_many(project, 3)
    with half_read():
        assert room.find(project, "tigers", limit=10) == []
    assert len(room.find(project, "tigers", limit=10)) == 3


@contextmanager
def half_read() -> Iterator[Callable[[], None]]:
    """Another reader has read what waits and not committed; what is given lets it."""
    has_read, may_finish = threading.Event(), threading.Event()

    def read() -> None:
        with transaction.atomic():
            index.index_some()
            has_read.set()
            may_finish.wait(10)
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    assert has_read.wait(10)
    try:
        yield may_finish.set
    finally:
        may_finish.set()
        reader.join()


def all_of(functions: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def test_searches_and_recording_go_on_beside_each_other(api: Api) -> None:
    async def record(number: int) -> None:
        for line in range(5):
            await api.say(f"s-{number}", f"tigers {line}")
            assert f"s-{number}" in await found(api, "tigers", page_size=100)

    await asyncio.gather(*(record(number) for number in range(4)))
