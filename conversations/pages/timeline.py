"""When in a conversation how much was said: its time in equal parts, and the messages in each."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from conversations.models import Conversation

PARTS = 80
HEIGHT = 100
# All of it is in the index by which messages are in order.
_COUNTED = """
    WITH span AS (
        SELECT min(timestamp) AS first, max(timestamp) AS last
        FROM conversations_message WHERE conversation_id = %(conversation)s
    )
    SELECT first, last, least(%(parts)s - 1, floor(
        %(parts)s * extract(epoch FROM timestamp - first)
        / nullif(extract(epoch FROM last - first), 0)
    ))::int AS part, count(*)
    FROM conversations_message, span WHERE conversation_id = %(conversation)s
    GROUP BY first, last, part ORDER BY part
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    x: int
    height: int

    @property
    def y(self) -> int:
        return HEIGHT - self.height


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    first: datetime
    last: datetime
    bars: list[Bar]


def timeline_of(conversation: Conversation) -> Timeline | None:
    """None where everything was said at one moment, or nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, {"conversation": conversation.pk, "parts": PARTS})
        counted = cursor.fetchall()
    if not counted or counted[0][0] == counted[0][1]:
        return None
    first, last = counted[0][:2]
    most = max(count for *_, count in counted)
    bars = [
        Bar(x=part, height=max(HEIGHT * count // most, HEIGHT // 20)) for *_, part, count in counted
    ]
    return Timeline(first=first, last=last, bars=bars)
