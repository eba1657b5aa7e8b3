"""A conversation as the body of an upload: what goes out here comes in there unchanged.

Nothing is cut: what is larger than an upload may be is written whole, and an upload refuses it.
What an upload demands and the record lacks gets the nearest thing that says so little: a
conversation without a name its id, an agent without an id its type, an empty text one space.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from django.db.models import Min

from conversations.export.reading import pages
from conversations.ingest.reading import LONGEST_INTEGER
from conversations.models import Conversation, Message, Participant
from streaming.events import iso

Json = dict[str, Any]

MODES = {"round-robin", "reactive", "free-form"}
ROLES = {"agent", "user", "system"}
# What an upload writes into metadata by itself.
MARKS = {"source", "uploadedAt", "isHistoricalUpload"}
NOTHING = " "
UNNAMED = "unknown"
# More agents than an upload takes; without a bound they could be as many as the messages.
MOST_ADDED = 1_000


def write(conversation: Conversation, *, until: int) -> Iterator[bytes]:
    participants = [_participant(each) for each in conversation.participants.all()]
    session = _dumps(_session(conversation))
    yield f'{{"session":{session},\n"participants":[\n{_lines(participants)}'.encode()
    added = list(_unannounced(conversation, participants, until=until))
    comma = ",\n" if added and participants else ""
    yield f'{comma}{_lines(added)}\n],\n"messages":[\n'.encode()
    comma = ""
    for page in pages(conversation, until=until):
        yield f"{comma}{_lines(map(_message, page))}".encode()
        comma = ",\n"
    yield b"\n]}\n"


def _session(conversation: Conversation) -> Json:
    maximum, duration = conversation.max_turns or 0, conversation.reported_duration_ms or 0
    # An upload takes no end that is not after the start.
    ended_at = conversation.completed_at
    is_after = ended_at is not None and ended_at > conversation.started_at
    return {
        "name": conversation.name or conversation.public_id,
        "mode": conversation.mode if conversation.mode in MODES else "free-form",
        **({"maxTurns": maximum} if maximum > 0 else {}),
        "initialPrompt": conversation.initial_prompt or NOTHING,
        "status": conversation.status,
        "startedAt": iso(conversation.started_at),
        **({"completedAt": iso(ended_at)} if ended_at and is_after else {}),
        **({"totalDuration": duration} if duration > 0 else {}),
        "metadata": {
            name: _portable(value)
            for name, value in conversation.metadata.items()
            if name not in MARKS
        },
    }


class Named(Protocol):
    agent_id: str
    agent_type: str
    agent_name: str


def _agent(named: Named) -> Json:
    known = (named.agent_id, named.agent_type, named.agent_name, UNNAMED)
    agent_id = next(filter(None, known))
    return {
        "agentId": agent_id,
        "agentType": named.agent_type or UNNAMED,
        "agentName": named.agent_name or agent_id,
    }


def _participant(participant: Participant) -> Json:
    optional = {
        "agentVersion": participant.agent_version,
        "model": participant.model,
        "prompt": participant.prompt,
        "announcement": participant.announcement,
        "settings": _portable(participant.settings),
    }
    return {**_agent(participant), **{name: value for name, value in optional.items() if value}}


def _unannounced(
    conversation: Conversation, participants: list[Json], *, until: int
) -> Iterator[Json]:
    """The agents that have spoken and are not among the participants, in order of appearance."""
    seen = {participant["agentId"] for participant in participants}
    names = ("agent_id", "agent_type", "agent_name")
    announced = conversation.participants.exclude(agent_id="").values("agent_id")
    spoken = conversation.messages.filter(pk__lte=until).exclude(agent_id__in=announced)
    by_appearance = spoken.values(*names).annotate(first=Min("sequence_number"))
    for found in by_appearance.order_by("first", *names)[:MOST_ADDED]:
        agent = _agent(Message(**{name: found[name] for name in names}))
        if agent["agentId"] not in seen:
            seen.add(agent["agentId"])
            yield agent


def _message(message: Message) -> Json:
    role = message.role.lower()
    optional = {
        "duration": message.duration_ms or None,
        "inputTokens": message.input_tokens,
        "outputTokens": message.output_tokens,
        "totalTokens": message.total_tokens,
        "model": message.model or None,
        "cost": None if message.cost is None else float(message.cost),
    }
    metrics = {
        name: value
        for name, value in optional.items()
        if isinstance(value, str) or (value is not None and value >= 0)
    }
    return {
        **_agent(message),
        **({"agentVersion": message.agent_version} if message.agent_version else {}),
        "content": message.content or NOTHING,
        "role": role if role in ROLES else "agent",
        "timestamp": iso(message.timestamp),
        "sequenceNumber": message.sequence_number,
        **({"metrics": metrics} if metrics else {}),
    }


def _portable(value: Any) -> Any:
    """PostgreSQL writes 1e+50 with all its digits, which as an integer nobody would take."""
    if isinstance(value, dict):
        return {name: _portable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_portable(item) for item in value]
    if isinstance(value, int) and len(str(value)) > LONGEST_INTEGER:
        return float(value)
    return value


def _lines(values: Iterable[Json]) -> str:
    return ",\n".join(map(_dumps, values))


def _dumps(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
