"""The messages of a conversation as CSV: a spreadsheet computes nothing of what was said."""

import csv
import io
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from conversations.events import message_shape
from conversations.export.facts import money
from conversations.export.reading import pages
from conversations.models import Conversation, Message

# Without it Excel takes UTF-8 for something else.
BYTE_ORDER_MARK = "\ufeff"
# As spreadsheets read it: also behind what cannot be seen, also in full width.
FORMULA = re.compile(
    r"[\t\r\n]|[\s\x00-\x20\x7f-\xad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]*"
    r"[=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]"
)
COLUMNS = list(message_shape(Message(timestamp=Message().created_at), conversation=""))


def write(conversation: Conversation, *, until: int) -> Iterator[bytes]:
    yield f"{BYTE_ORDER_MARK}{as_csv([COLUMNS])}".encode()
    for page in pages(conversation, until=until):
        yield as_csv([_row(message, conversation) for message in page]).encode()


def as_csv(rows: list[list[Any]]) -> str:
    """Rows as RFC 4180 has them; what a spreadsheet would compute gets an apostrophe in front."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows([[_cell(value) for value in row] for row in rows])
    return written.getvalue()


def _row(message: Message, conversation: Conversation) -> list[Any]:
    shape = message_shape(message, conversation=conversation.public_id)
    shape |= {"cost": message.cost, "metadata": json.dumps(message.metadata, ensure_ascii=False)}
    return list(shape.values())


def _cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return money(value)
    if isinstance(value, str) and FORMULA.match(value):
        return f"'{value}"
    return value
