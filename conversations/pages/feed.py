"""The feed of a project: its events as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conversations.models import Project
from conversations.templatetags.figures import dollars, thousands

PREVIEW_LENGTH = 300

# The element that goes on with the feed has the same table, in static/js/stream/reduce.js.
HAPPENED = {
    "conversation.started": "Conversation started",
    "conversation.completed": "Conversation completed",
    "conversation.interrupted": "Conversation interrupted",
    "conversation.error": "Error",
    "message.created": "Message",
    "error.occurred": "Error",
    "bridge.connected": "Bridge connected",
    "bridge.test": "Bridge tested",
    "log.entry": "Log entry",
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event as the feed shows it."""

    seq: int
    kind: str
    at: datetime
    # As the event tells it.
    timestamp: str
    happened: str
    conversation_id: str
    conversation: str
    agent: str
    # By which an agent has its colour; of several at once there is none.
    agent_id: str
    preview: str
    tokens: str
    cost: str


def rows_of(project: Project, frames: Sequence[Json]) -> list[Row]:
    """The events that a feed tells of, newest first."""
    told = [frame for frame in frames if frame["type"] in HAPPENED]
    ids = {_text(frame["data"].get("conversationId")) for frame in told}
    known = project.conversations.filter(public_id__in=ids).values_list("public_id", "name")
    names = dict(known)
    return [_row(frame, names) for frame in reversed(told)]


def _row(frame: Json, names: dict[str, str]) -> Row:
    data = frame["data"]
    message = data.get("message")
    about = message if isinstance(message, dict) else data
    conversation_id = _text(data.get("conversationId"))
    tokens = about.get("totalTokens") or 0
    cost = about.get("cost") or about.get("totalCost") or 0
    return Row(
        seq=frame["seq"],
        kind=frame["type"],
        at=datetime.fromisoformat(frame["timestamp"]),
        timestamp=frame["timestamp"],
        happened=_happened(frame["type"], data),
        conversation_id=conversation_id,
        conversation=names.get(conversation_id) or conversation_id,
        agent=_agent(data, about),
        agent_id=_agent_id(data, about),
        preview=_preview(_content(data, about)),
        tokens=f"{thousands(tokens)} tokens" if tokens else "",
        cost=f"{dollars(cost)} (estimate)" if cost else "",
    )


def _happened(kind: str, data: Json) -> str:
    if kind == "conversation.completed" and data.get("status") == "ERROR":
        return "Conversation failed"
    return HAPPENED[kind]


def _agent(data: Json, about: Json) -> str:
    conversation = data.get("conversation")
    if isinstance(conversation, dict):
        return ", ".join(filter(None, map(_name, conversation.get("participants") or [])))
    return _name(about) or _text(about.get("role") if about is not data else "")


def _agent_id(data: Json, about: Json) -> str:
    """Of who has a colour wherever it is shown."""
    if isinstance(data.get("conversation"), dict):
        return ""
    candidates = (about.get(field) for field in ("agentId", "agentType", "agentName"))
    return next(filter(None, map(_text, candidates)), "")


def _name(one: Json) -> str:
    candidates = (one.get(field) for field in ("agentName", "agentType", "agentId"))
    return next(filter(None, map(_text, candidates)), "")


def _content(data: Json, about: Json) -> str:
    summary = data.get("summary")
    told = summary if isinstance(summary, dict) else {}
    candidates = (
        about.get("content"),
        told.get("shortText"),
        told.get("text"),
        data.get("initialPrompt"),
        data.get("error"),
        data.get("reason"),
        data.get("message"),  # of a bridge
    )
    return next(filter(None, map(_text, candidates)), "")


def _preview(content: str) -> str:
    return content if len(content) <= PREVIEW_LENGTH else f"{content[:PREVIEW_LENGTH]}…"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
