"""The forms in which a conversation leaves: the one list of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from conversations.export import lines, markdown, page, session, table
from conversations.models import Conversation


class Write(Protocol):
    def __call__(self, conversation: Conversation, *, until: int) -> Iterator[bytes]:
        """The file piece by piece, each piece by short queries of its own.

        Raises ConversationNotFound where the conversation is deleted meanwhile: what was written
        then lacks its end.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    suffix: str
    content_type: str
    write: Write


FORMATS = {
    "json": Format(suffix="json", content_type="application/json", write=session.write),
    "jsonl": Format(suffix="jsonl", content_type="application/x-ndjson", write=lines.write),
    "markdown": Format(
        suffix="md", content_type="text/markdown; charset=utf-8", write=markdown.write
    ),
    "html": Format(suffix="html", content_type="text/html; charset=utf-8", write=page.write),
    "csv": Format(suffix="csv", content_type="text/csv; charset=utf-8", write=table.write),
}
