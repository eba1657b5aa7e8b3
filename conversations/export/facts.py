"""What there is to say about a conversation to people, apart from what was said in it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from conversations.events import totals_shape
from conversations.models import Conversation, Message, Participant

Fact = tuple[str, str]


def title_of(conversation: Conversation) -> str:
    return conversation.name.strip() or conversation.public_id


def name_of(speaker: Participant | Message) -> str:
    names = (speaker.agent_name, speaker.agent_type, speaker.agent_id)
    return next((name for name in names if name.strip()), "Unnamed")


def facts_of(conversation: Conversation) -> Iterator[Fact]:
    totals = totals_shape(conversation)
    yield "Status", conversation.status
    yield "Started", _shown(conversation.started_at)
    if conversation.completed_at:
        yield "Ended", _shown(conversation.completed_at)
    yield "Duration", _span(totals["totalDuration"])
    if conversation.mode:
        yield "Mode", conversation.mode
    if conversation.source:
        yield "Source", conversation.source
    yield "Messages", str(conversation.total_messages)
    # The command-line tool counts neither: it estimates them.
    estimate = " (estimate)" if conversation.source == "cli" else ""
    yield "Tokens", f"{totals['totalTokens']}{estimate}"
    yield "Cost", f"${money(conversation.total_cost)}{estimate}"
    if conversation.error_message:
        yield "Error", conversation.error_message
    yield "Project", conversation.project.slug
    yield "Id", conversation.public_id


def facts_of_participant(participant: Participant) -> Iterator[Fact]:
    facts = {
        "type": participant.agent_type,
        "id": participant.agent_id,
        "version": participant.agent_version,
        "model": participant.model,
    }
    yield from ((name, value) for name, value in facts.items() if value)


def facts_of_message(message: Message) -> Iterator[Fact]:
    yield "time", _shown(message.timestamp)
    if message.role:
        yield "role", message.role
    if message.model:
        yield "model", message.model
    if message.total_tokens:
        yield "tokens", f"{message.total_tokens} tokens"
    if message.cost:
        yield "cost", f"${money(message.cost)}"
    if message.duration_ms:
        yield "duration", f"{message.duration_ms} ms"


def money(amount: Decimal) -> str:
    """All its digits and no zeros behind them; never as 3E-7."""
    written = f"{amount:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def _span(milliseconds: int) -> str:
    # Not a timedelta: that of some conversations would be too long for it.
    minutes, seconds = divmod(milliseconds // 1000, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
