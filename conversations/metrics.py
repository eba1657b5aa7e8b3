"""What is counted, hour by hour and day by day, and how it is read.

Totals are counted in the transactions that write and delete messages, in one statement that takes
its rows in the order of their keys: transactions that count the same hours and days wait, and never
for each other. So a transaction counts once, after all else is written and right before the log's
topics are locked; only a deletion comes here later, with the topic of a conversation that nobody
else can have. What a message is counted under never changes: its time, agent type and model, and
the source of its conversation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any, Literal

from django.db import connection

from conversations.models import Conversation, Project, Total
from conversations.replica import long_read
from streaming.publish import write_last

if TYPE_CHECKING:
    from conversations.models import Message
    from conversations.recording.messages import NewMessage

NAME_LENGTH = 100
# Sums of more digits than Decimal keeps by itself.
DIGITS = 60
MOST_NAMES = 100
# A single message of 1970 makes no list of twenty thousand empty days.
MOST_EMPTY_SLOTS = 3660

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Unit = Literal["hour", "day"]
Rows = list[tuple[Any, ...]]
SLOT: dict[Unit, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
# How many hours or days up to now, the present one among them; None is all of them.
RANGES: dict[str, tuple[Unit, int | None]] = {
    "24h": ("hour", 24),
    "7d": ("day", 7),
    "30d": ("day", 30),
    "all": ("day", None),
}

_SUMS = ("messages", "input_tokens", "output_tokens", "total_tokens", "cost", "duration_ms")
_UNITS = f"unnest(ARRAY{Total.Unit.values}) AS unit"
_INTO = f"""
    INSERT INTO conversations_total AS t
        (project_id, unit, slot, source, agent_type, model, {", ".join(_SUMS)})
"""
_ADD = f"""
    GROUP BY 1, 2, 3, 4, 5, 6
    ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (project_id, unit, slot, source, agent_type, model)
    DO UPDATE SET {", ".join(f"{name} = t.{name} + excluded.{name}" for name in _SUMS)}
    RETURNING id, messages
"""
# Mostly there is one row, and psycopg and PostgreSQL take longer for an array of one.
_COUNTED = f"(%s::timestamptz, %s, %s, %s, %s::bigint{', %s::numeric' * (len(_SUMS) - 1)})"
_COUNT = f"""{_INTO}
    SELECT %s, unit, date_trunc(unit, hour, 'UTC'), source, agent_type, model,
        {", ".join(f"sum({name})" for name in _SUMS)}
    FROM (VALUES {{rows}}) AS counted (hour, source, agent_type, model, {", ".join(_SUMS)}),
        {_UNITS} {_ADD}
"""  # noqa: S608 - the names are ours
_DELETE = f"""
    WITH gone AS (
        DELETE FROM conversations_message m USING conversations_conversation c
        WHERE m.conversation_id = %s AND c.id = m.conversation_id
        RETURNING m.project_id, m.timestamp, c.source, m.agent_type, m.model, m.input_tokens,
            m.output_tokens, m.total_tokens, m.cost, m.duration_ms
    ), left_over AS ({_INTO}
        SELECT project_id, unit, date_trunc(unit, timestamp, 'UTC'), left(source, {NAME_LENGTH}),
            left(agent_type, {NAME_LENGTH}), left(model, {NAME_LENGTH}), -count(*),
            -coalesce(sum(input_tokens), 0), -coalesce(sum(output_tokens), 0),
            -coalesce(sum(total_tokens), 0), -coalesce(sum(cost), 0),
            -coalesce(sum(duration_ms), 0)
        FROM gone, {_UNITS} {_ADD}
    )
    SELECT id FROM left_over WHERE messages = 0
"""  # noqa: S608


def count(project: Project, messages: "Iterable[Message | NewMessage]") -> None:
    """Count new messages in their hours and days, in the transaction that writes them."""
    totals: dict[tuple[int, str, str, str], list[Any]] = {}
    with localcontext() as context:
        context.prec = DIGITS
        for message in messages:
            # By what is quick to look up: what comes to the same is added up in the database.
            hour = (message.timestamp - EPOCH) // SLOT["hour"]
            key = hour, message.conversation.source, message.agent_type, message.model
            sums = totals.get(key)
            if sums is None:
                sums = totals[key] = [0, 0, 0, 0, Decimal(0), 0]
            sums[0] += 1
            sums[1] += message.input_tokens or 0
            sums[2] += message.output_tokens or 0
            sums[3] += message.total_tokens or 0
            sums[4] += message.cost or 0
            sums[5] += message.duration_ms or 0
    if not totals:
        return
    rows = [
        (EPOCH + hour * SLOT["hour"], *(name[:NAME_LENGTH] for name in names), *sums)
        for (hour, *names), sums in totals.items()
    ]
    _count(project.pk, rows)


def _count(project: int, rows: Sequence[Sequence[Any]]) -> None:
    text = _COUNT.format(rows=", ".join([_COUNTED] * len(rows)))
    write_last((text, [project, *(value for row in rows for value in row)]))


def count_more(
    message: "Message", *, input_tokens: int, output_tokens: int, cost: Decimal, duration_ms: int
) -> None:
    """Add what a message that is counted already has used since."""
    total_tokens = input_tokens + output_tokens
    sums = 0, input_tokens, output_tokens, total_tokens, cost, duration_ms
    _count(message.project_id, [(*_counted_under(message), *sums)])


def _counted_under(message: "Message | NewMessage") -> tuple[datetime, str, str, str]:
    return (
        message.timestamp.astimezone(UTC).replace(minute=0, second=0, microsecond=0),
        message.conversation.source[:NAME_LENGTH],
        message.agent_type[:NAME_LENGTH],
        message.model[:NAME_LENGTH],
    )


def delete_messages(conversation: Conversation) -> int:
    """Delete a conversation's messages and take them out of the totals; says how many went.

    In one statement, which comes to the totals last: others who count wait for the end of the
    transaction, and not for the messages.
    """
    count = conversation.messages.count()
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, [conversation.pk])
        empty = [row[0] for row in cursor.fetchall()]
    if empty:
        # The statement above has locked them: nobody counts here before this commits.
        Total.objects.filter(pk__in=empty).delete()
    return count


@dataclass(slots=True, kw_only=True)
class Figures:
    """What some messages come to; and conversations, where they can be told apart."""

    conversations: int = 0
    messages: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost: Decimal = Decimal(0)
    duration_ms: int = 0


@dataclass(slots=True, kw_only=True)
class Summary:
    unit: Unit
    totals: Figures = field(default_factory=Figures)
    by_status: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(Conversation.Status.values, 0)
    )
    # Whenever they began.
    active_now: int = 0
    by_slot: dict[datetime, Figures] = field(default_factory=dict)
    by_source: dict[str, Figures] = field(default_factory=dict)
    by_agent_type: dict[str, Figures] = field(default_factory=dict)
    by_model: dict[str, Figures] = field(default_factory=dict)


def summary(project: Project, *, reach: str, now: datetime) -> Summary:
    """All figures of a range: messages by their time, conversations by when they began."""
    unit, slots = RANGES[reach]
    span = _last(slots, unit, now) if slots else None
    found = Summary(unit=unit)
    with long_read() as cursor:
        _add_messages(found, _rows(cursor, _MESSAGES, unit, project, span))
        _add_conversations(found, _rows(cursor, _CONVERSATIONS, unit, project, span))
        [(found.active_now,)] = _rows(cursor, _ACTIVE, unit, project, span)
    _fill(found, span)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From the beginning of an hour or day to before the end of another."""

    first: datetime
    end: datetime


def _last(slots: int, unit: Unit, now: datetime) -> Span:
    this = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    end = (this if unit == "hour" else this.replace(hour=0)) + SLOT[unit]
    return Span(first=end - slots * SLOT[unit], end=end)


_SUMMED = ", ".join(f"sum({name}) AS {name}" for name in _SUMS)
_MESSAGES = f"""
    WITH sums AS (
        SELECT grouping(slot, source, agent_type, model) AS kind,
            slot, coalesce(source, agent_type, model) AS name, {_SUMMED},
            row_number() OVER (
                PARTITION BY grouping(slot, source, agent_type, model)
                ORDER BY sum(messages) DESC, coalesce(source, agent_type, model)
            ) AS place
        FROM conversations_total
        WHERE project_id = %(project)s AND unit = %(unit)s
            AND slot >= coalesce(%(first)s::timestamptz, '-infinity')
            AND slot < coalesce(%(end)s::timestamptz, 'infinity')
        GROUP BY GROUPING SETS ((slot), (source), (agent_type), (model))
    )
    SELECT kind, slot, name, {", ".join(_SUMS)} FROM sums
    WHERE slot IS NOT NULL OR place <= {MOST_NAMES}
    ORDER BY kind, slot, place
"""  # noqa: S608
# One bit for each column that a row was not grouped by, the first column's highest.
_BY_SLOT, _BY_SOURCE, _BY_AGENT_TYPE, _BY_MODEL = 0b0111, 0b1011, 0b1101, 0b1110


def _add_messages(found: Summary, rows: Rows) -> None:
    named = {
        _BY_SOURCE: found.by_source,
        _BY_AGENT_TYPE: found.by_agent_type,
        _BY_MODEL: found.by_model,
    }
    for kind, slot, name, *sums in rows:
        figures = _figures(sums)
        if kind == _BY_SLOT:
            found.by_slot[slot] = figures
            _add(found.totals, figures)
        else:
            named[kind][name] = figures


def _figures(sums: Sequence[Any]) -> Figures:
    messages, input_tokens, output_tokens, total_tokens, cost, duration_ms = sums
    return Figures(
        messages=int(messages),
        input_tokens=int(input_tokens),
        output_tokens=int(output_tokens),
        total_tokens=int(total_tokens),
        cost=cost,
        duration_ms=int(duration_ms),
    )


def _add(total: Figures, part: Figures) -> None:
    total.messages += part.messages
    total.input_tokens += part.input_tokens
    total.output_tokens += part.output_tokens
    total.total_tokens += part.total_tokens
    with localcontext() as context:
        context.prec = DIGITS
        total.cost += part.cost
    total.duration_ms += part.duration_ms


_CONVERSATIONS = f"""
    SELECT date_bin(%(step)s, started_at, '2000-01-01Z'), left(source, {NAME_LENGTH}), status,
        count(*)
    FROM conversations_conversation
    WHERE project_id = %(project)s
        AND started_at >= coalesce(%(first)s::timestamptz, '-infinity')
        AND started_at < coalesce(%(end)s::timestamptz, 'infinity')
    GROUP BY 1, 2, 3
"""  # noqa: S608
_ACTIVE = f"""
    SELECT count(*) FROM conversations_conversation
    WHERE project_id = %(project)s AND status = '{Conversation.Status.ACTIVE}'
"""  # noqa: S608


def _add_conversations(found: Summary, rows: Rows) -> None:
    for slot, source, status, number in rows:
        found.totals.conversations += number
        found.by_status[status] += number
        found.by_slot.setdefault(slot, Figures()).conversations += number
        found.by_source.setdefault(source, Figures()).conversations += number


def _rows(cursor: Any, statement: str, unit: Unit, project: Project, span: Span | None) -> Rows:
    values: dict[str, Any] = {
        "unit": unit,
        "step": SLOT[unit],
        "project": project.pk,
        "first": span.first if span else None,
        "end": span.end if span else None,
    }
    cursor.execute(statement, values)
    rows: Rows = cursor.fetchall()
    return rows


def _fill(found: Summary, span: Span | None) -> None:
    """Put every hour or day of the range into its place, those without anything too."""
    step = SLOT[found.unit]
    first = span.first if span else min(found.by_slot, default=None)
    if first is not None:
        last = span.end - step if span else max(found.by_slot)
        if last - first < MOST_EMPTY_SLOTS * step:
            for number in range((last - first) // step + 1):
                found.by_slot.setdefault(first + number * step, Figures())
    found.by_slot = dict(sorted(found.by_slot.items()))
