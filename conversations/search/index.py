"""From the record to the index: queued with what is written, read in chunks, each thing once."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from conversations.models import Conversation, Message, SearchDocument, Unindexed
from conversations.search.words import words_of
from streaming import statements
from streaming.copying import copy
from streaming.publish import transactional
from streaming.statements import Statement

CHUNK = 500
CHUNK_BYTES = 4 * 1024 * 1024
# Long texts are cut: a document of PostgreSQL ends at a megabyte and at 16,383 places.
PIECE = 10_000
OVERLAP = 200
LONGEST_NAME = 1000
# What comes between a name and a prompt, so that no phrase reaches over.
GAP = 2
CAUGHT_UP_WITHIN_S = 0.5
MANY = 1000
GROWN = [model._meta.db_table for model in (Conversation, Message, SearchDocument)]
# Marks our advisory locks: "search" in ASCII, above the bits of a conversation's key.
NAMES_LOCK = 0x5EA7 << 48
_QUEUE = """
    INSERT INTO conversations_unindexed (project_id, conversation_id, message_id)
    SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    id: int
    project: int
    conversation: int
    message: int | None
    size: int


def queue(project: int, *, named: Iterable[int], messages: Iterable[tuple[int, int]]) -> None:
    """Have these read: conversations whose name or prompt is new; messages, (conversation, id)."""
    statements.run(*queueing(project, named=named, messages=messages))


def queueing(
    project: int, *, named: Iterable[int], messages: Iterable[tuple[int, int]]
) -> list[Statement]:
    both: list[tuple[int, int | None]] = [*((pk, None) for pk in named), *messages]
    if not both:
        return []
    values = [project, _array(row[0] for row in both), _array(row[1] for row in both)]
    return [(_QUEUE, values)]


def _array(keys: Iterable[int | None]) -> str:
    """As PostgreSQL writes it: psycopg takes its time over each number of a list."""
    return f"{{{','.join('null' if key is None else str(key) for key in keys)}}}"


def forget(message: Message) -> None:
    """Unlearn a message: its content is about to change."""
    for model in (Unindexed, SearchDocument):
        model._default_manager.filter(
            conversation=message.conversation_id, message=message.pk
        ).delete()


def index_all() -> int:
    """Read what waits until nothing does that no other reader has; says how much it was."""
    total = 0
    began = time.monotonic()
    while count := index_some():
        total += count
        # Half of the time: what comes in meanwhile is more urgent.
        time.sleep(time.monotonic() - began)
        began = time.monotonic()
    if total:
        with connection.cursor() as cursor:
            # What is left to the index's list of additions makes every search slower.
            cursor.execute("SELECT gin_clean_pending_list('documents_by_slice')")
            if total >= MANY:
                # Until PostgreSQL knows how much there is now, it looks for it in the slowest ways.
                cursor.execute(f"ANALYZE {', '.join(GROWN)}")
    return total


def catch_up() -> None:
    """Read what waits if it is little, so that a search finds what was just recorded."""
    deadline = time.monotonic() + CAUGHT_UP_WITHIN_S
    while 0 < _waiting() <= CHUNK and time.monotonic() < deadline:
        if not index_some():
            # Another reader has it and is about to be done.
            time.sleep(0.01)


def _waiting() -> int:
    return len(Unindexed.objects.order_by("pk").values_list("pk")[: CHUNK + 1])


@transactional
def index_some() -> int:
    """Read a chunk that nobody else is reading; says how much it was."""
    chunk = _take()
    if chunk:
        _forget_names(chunk)
        _insert(chunk)
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM conversations_unindexed WHERE id = ANY(%s::bigint[])",
                [_array(row.id for row in chunk)],
            )
    return len(chunk)


def _take() -> list[Waiting]:
    # Nothing here waits for a lock, so nothing can deadlock. The conversation is locked first:
    # who deletes it has it whole. An advisory lock, as ingest holds the row of an open one,
    # keeps two readers from giving one conversation two names.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.id, u.project_id, u.conversation_id, u.message_id,"
            " octet_length(coalesce(m.content, c.initial_prompt)) FROM conversations_unindexed u"
            " JOIN conversations_conversation c ON c.id = u.conversation_id"
            " LEFT JOIN conversations_message m ON m.id = u.message_id"
            " ORDER BY u.id LIMIT %s"
            " FOR KEY SHARE OF c SKIP LOCKED FOR UPDATE OF u SKIP LOCKED",
            [CHUNK],
        )
        rows = [Waiting(*row) for row in cursor.fetchall()]
        chunk = list(_no_more_than(CHUNK_BYTES, rows))
        named = sorted({row.conversation for row in chunk if row.message is None})
        cursor.execute(
            "SELECT id FROM unnest(%s::bigint[]) id WHERE pg_try_advisory_xact_lock(%s + id)",
            [named, NAMES_LOCK],
        )
        ours = {row[0] for row in cursor.fetchall()}
    return [row for row in chunk if row.message is not None or row.conversation in ours]


def _no_more_than(limit: int, rows: list[Waiting]) -> Iterator[Waiting]:
    total = 0
    for row in rows:
        total += row.size
        if total > limit and total > row.size:
            return
        yield row


def _forget_names(chunk: list[Waiting]) -> None:
    named = [row.conversation for row in chunk if row.message is None]
    if named:
        SearchDocument.objects.filter(conversation__in=named, message=None).delete()


def _insert(chunk: list[Waiting]) -> None:
    contents = dict(
        _read(
            "SELECT id, content FROM conversations_message WHERE id = ANY(%s::bigint[])",
            (row.message for row in chunk if row.message is not None),
        )
    )
    names = {
        key: (name, prompt)
        for key, name, prompt in _read(
            "SELECT id, name, initial_prompt FROM conversations_conversation"
            " WHERE id = ANY(%s::bigint[])",
            {row.conversation for row in chunk if row.message is None},
        )
    }
    copy(
        "conversations_searchdocument (project_id, conversation_id, message_id, start, words)",
        _documents(chunk, contents, names),
    )


def _read(statement: str, keys: Iterable[int]) -> list[tuple[Any, ...]]:
    """Of 500 keys, Django takes as long over the statement as all the rest takes."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [_array(keys)])
        return list(cursor.fetchall())


def _documents(
    chunk: list[Waiting], contents: dict[int, str], names: dict[int, tuple[str, str]]
) -> Iterator[tuple[object, ...]]:
    named = set(names)
    for row in chunk:
        if row.message is not None:
            pieces = _content_pieces(contents.get(row.message, ""))
        elif row.conversation in named:
            named.discard(row.conversation)
            pieces = _name_pieces(*names[row.conversation])
        else:
            continue  # named twice in a chunk
        for start, vector in pieces:
            yield row.project, row.conversation, row.message, start, vector


def _content_pieces(content: str) -> Iterator[tuple[int, str]]:
    for start, piece in _cut(content):
        if words := words_of(piece):
            yield start, _vector(words)


def _name_pieces(name: str, prompt: str) -> Iterator[tuple[int, str]]:
    named = words_of(name[:LONGEST_NAME])
    for start, piece in _cut(prompt):
        prompted = words_of(piece)
        beside = named if not start else []
        if beside or prompted:
            vector = _vector(prompted, weight="B", first=len(beside) + GAP)
            yield start, f"{_vector(beside, weight='A')} {vector}"


def _cut(text: str) -> Iterator[tuple[int, str]]:
    """Pieces and where they start; each begins a little before the last ended, between words."""
    start = 0
    while True:
        end = start + PIECE
        if end >= len(text):
            yield start, text[start:]
            return
        end = _space_before(text, end, OVERLAP)
        yield start, text[start:end]
        start = _space_before(text, end - OVERLAP, OVERLAP)


def _space_before(text: str, end: int, reach: int) -> int:
    place = max(text.rfind(space, end - reach, end) for space in " \n")
    return place if place > 0 else end


def _vector(words: list[str], *, weight: str = "", first: int = 1) -> str:
    return " ".join(f"'{word}':{place}{weight}" for place, word in enumerate(words, first))
