"""Saved states of the command-line tool (`states/*.json`), as the events that it did not send.

Ids are made of the content: a state that is read again is known, and a later one of the same
conversation adds what the earlier one had not. Settings of a state that are no conversation's,
an API key among them, are never looked at.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from conversations.changes import Json
from conversations.ingest.dispatch import fingerprint_of

VERSION = "1.0"


def is_state(value: Json) -> bool:
    return "saved_at" in value and "messages" in value


def events_of(state: Json) -> list[Json]:
    """What the tool would have sent, in its own dialect."""
    config, metadata = _object(state.get("config")), _object(state.get("metadata"))
    agents = [_object(agent) for agent in _list(config.get("Agents"))]
    orchestrator = _object(config.get("Orchestrator"))
    messages = [_object(message) for message in _list(state.get("messages"))]
    began = metadata.get("started_at") or state.get("saved_at")
    conversation_id = _id(
        "state", began, [agent.get("ID") for agent in agents], orchestrator.get("InitialPrompt")
    )
    about = {"conversation_id": conversation_id}
    return [
        {
            "type": "conversation.started",
            "timestamp": began,
            "data": about
            | {
                "mode": orchestrator.get("Mode"),
                "initial_prompt": orchestrator.get("InitialPrompt"),
                "max_turns": orchestrator.get("MaxTurns"),
                "name": metadata.get("description"),
                "agents": [_agent(agent) for agent in agents],
            },
        },
        *_messages(messages, about, {agent.get("ID"): agent for agent in agents}),
        {
            "type": "conversation.completed",
            "timestamp": state.get("saved_at"),
            "data": about | _ending(metadata),
        },
    ]


def _agent(agent: Json) -> Json:
    return {
        "agent_id": agent.get("ID"),
        "agent_type": agent.get("Type"),
        "name": agent.get("Name"),
        "model": agent.get("Model"),
        "prompt": agent.get("Prompt"),
        "temperature": agent.get("Temperature"),
        "max_tokens": agent.get("MaxTokens"),
    }


def _messages(messages: list[Json], about: Json, agents: dict[Any, Json]) -> list[Json]:
    said: Counter[str] = Counter()
    events = []
    for number, message in enumerate(messages, 1):
        agent_id, at = message.get("AgentID"), _time(message.get("Timestamp"))
        metrics = _object(message.get("Metrics"))
        content = message.get("Content")
        same = _id(about["conversation_id"], at, agent_id, message.get("Role"), content)
        said[same] += 1
        data = {
            # The same thing may be said twice within a second.
            "message_id": _id(same, said[same]),
            "agent_id": agent_id,
            "agent_name": message.get("AgentName"),
            "agent_type": message.get("AgentType") or _type_of(agents, agent_id),
            "content": content,
            "role": message.get("Role"),
            "sequence_number": number,
            "model": metrics.get("Model"),
            "duration_ms": _milliseconds(metrics.get("Duration")),
            "input_tokens": metrics.get("InputTokens"),
            "output_tokens": metrics.get("OutputTokens"),
            "tokens_used": metrics.get("TotalTokens"),
            "cost": metrics.get("Cost"),
        }
        events.append({"type": "message.created", "timestamp": at, "data": about | data})
    return events


def _ending(metadata: Json) -> Json:
    milliseconds = metadata.get("total_duration_ms")
    summary = {name: metadata.get(name) for name in ("short_text", "text") if metadata.get(name)}
    return {
        "status": "completed",
        "total_messages": metadata.get("total_messages"),
        "total_turns": metadata.get("total_turns"),
        "duration_seconds": milliseconds / 1000 if isinstance(milliseconds, int) else None,
        "summary": summary or None,
    }


def _type_of(agents: dict[Any, Json], agent_id: object) -> object:
    known = agents.get(agent_id) if isinstance(agent_id, str) else None
    return known.get("Type") if known else None


def _time(seconds: object) -> str | None:
    if not isinstance(seconds, int):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _milliseconds(nanoseconds: object) -> int | None:
    return nanoseconds // 1_000_000 if isinstance(nanoseconds, int) else None


def _id(*parts: object) -> str:
    return str(UUID(bytes=fingerprint_of(*parts)[:16]))


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
