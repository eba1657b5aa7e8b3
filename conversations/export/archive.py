"""Many conversations as one zip file, made while it is sent."""

import io
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO

from django.db.models import Max, QuerySet
from django.utils import timezone

from conversations.errors import ConversationNotFound
from conversations.export.formats import FORMATS, Format
from conversations.export.names import file_name_among_others
from conversations.export.reading import latest
from conversations.export.table import as_csv
from conversations.models import Conversation
from streaming.events import iso

PAGE = 1_000
PIECE = 64 * 1024
IN_MEMORY = 1024 * 1024
INDEX = ("file", "id", "kind", "name", "status", "startedAt", "completedAt", "messages", "complete")
README = """\
Conversations exported from AgentPipe on {at}.

conversations/  one file for each conversation and format; a .json file goes back in through
                POST /api/sessions/upload
index.csv       what is in which file. A file whose conversation was deleted while it was being
                written is not complete; the index says so.
"""


def archive(
    conversations: QuerySet[Conversation], *, formats: Sequence[str] = ("json",)
) -> Iterator[bytes]:
    """The zip file piece by piece, each by short queries; names in it depend on nothing else."""
    until, newest = latest(), conversations.aggregate(newest=Max("pk"))["newest"] or 0
    there = conversations.filter(pk__lte=newest).order_by("pk")
    sink = Sink()
    with (
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file,
        tempfile.SpooledTemporaryFile(IN_MEMORY) as index,
    ):
        file.writestr("README.txt", README.format(at=iso(timezone.now())))
        index.write(as_csv([list(INDEX)]).encode())
        yield sink.taken()
        for conversation in _one_by_one(there):
            for name in formats:
                yield from _added(file, sink, index, conversation, FORMATS[name], until)
        index.seek(0)
        yield from _copied(file, sink, "index.csv", index)
    yield sink.taken()


class Sink(io.RawIOBase):
    """What has been written and not yet taken; a file that cannot go back."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        written = bytes(piece)  # type: ignore[call-overload]  # whatever has bytes
        self.pieces.append(written)
        self.size += len(written)
        return len(written)

    def taken(self) -> bytes:
        taken = b"".join(self.pieces)
        self.pieces, self.size = [], 0
        return taken


def _one_by_one(conversations: QuerySet[Conversation]) -> Iterator[Conversation]:
    """Each as it is when its turn has come; those deleted until then are passed over."""
    after = 0
    while keys := list(conversations.filter(pk__gt=after).values_list("pk", flat=True)[:PAGE]):
        for after in keys:
            found = Conversation.objects.select_related("project").filter(pk=after).first()
            if found is not None:
                yield found


def _added(
    file: zipfile.ZipFile,
    sink: Sink,
    index: IO[bytes],
    conversation: Conversation,
    form: Format,
    until: int,
) -> Iterator[bytes]:
    name = f"conversations/{file_name_among_others(conversation, form.suffix)}"
    is_whole = True
    with file.open(_entry(name, conversation), "w", force_zip64=True) as entry:
        try:
            for piece in form.write(conversation, until=until):
                entry.write(piece)
                if sink.size >= PIECE:
                    yield sink.taken()
        except ConversationNotFound:
            is_whole = False
    index.write(as_csv([_listed(name, conversation, is_whole)]).encode())


def _entry(name: str, conversation: Conversation) -> zipfile.ZipInfo:
    changed = conversation.updated_at
    # A zip file knows no other years.
    year = min(max(changed.year, 1980), 2107)
    rest = (changed.month, changed.day, changed.hour, changed.minute, changed.second)
    entry = zipfile.ZipInfo(name, (year, *rest))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _listed(name: str, conversation: Conversation, is_whole: bool) -> list[object]:
    ended_at = conversation.completed_at
    return [
        name,
        conversation.public_id,
        conversation.kind,
        conversation.name,
        conversation.status,
        iso(conversation.started_at),
        iso(ended_at) if ended_at else None,
        conversation.total_messages,
        "yes" if is_whole else "no",
    ]


def _copied(file: zipfile.ZipFile, sink: Sink, name: str, source: IO[bytes]) -> Iterator[bytes]:
    with file.open(name, "w", force_zip64=True) as entry:
        while piece := source.read(PIECE):
            entry.write(piece)
            yield sink.taken()
