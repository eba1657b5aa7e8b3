"""When in a conversation how much was said: its time in equal parts, and the messages in each."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from conversations.models import Conversation

PARTS = 80
HEIGHT = 100
# All of it is in the index by which messages are in order. date_bin() reckons in whole numbers, and
# is several times as fast as seconds with fractions.
_COUNTED = """
    WITH span AS (
        SELECT min(timestamp) AS first, max(timestamp) AS last
        FROM conversations_message WHERE conversation_id = %(conversation)s
    ), step AS (
        SELECT first, last, greatest((last - first) / %(parts)s, interval '1 microsecond') AS step
        FROM span
    )
    SELECT first, last, step, date_bin(step, timestamp, first) AS part, count(*)
    FROM conversations_message, step WHERE conversation_id = %(conversation)s
    GROUP BY first, last, step, part
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
    first, last, step = counted[0][:3]
    parts: Counter[int] = Counter()
    for *_, part, count in counted:
        # What was said last of all begins a part of its own.
        parts[min(round((part - first) / step), PARTS - 1)] += count
    most = max(parts.values())
    bars = [
        Bar(x=part, height=max(HEIGHT * count // most, HEIGHT // 20))
        for part, count in sorted(parts.items())
    ]
    return Timeline(first=first, last=last, bars=bars)
