"""Events as text for a terminal."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rich.text import Text

from agentpipe_client.command.saying import cleaned
from agentpipe_client.following import TRUNCATED, Event
from agentpipe_client.record import Json

INDENT = " " * 10
PALETTE = ("cyan", "green", "magenta", "blue", "yellow")

Line = Callable[[Text, Json], None]


def shown(event: Event) -> Text:
    """A line, or a block whose further lines are indented."""
    line = Text(f"{_clock(event.timestamp):<10}", style="dim")
    show = LINES.get(event.type)
    if show is None:
        rest = {name: value for name, value in event.frame.items() if name not in HEAD}
        line.append(event.type, style="bold").append(f" {_clean(json.dumps(rest))}")
    else:
        show(line, event.data)
    return line


def _started(line: Text, data: Json) -> None:
    conversation = data.get("conversation") or {}
    name = conversation.get("name") or data.get("conversationId")
    line.append(f"{_clean(name)} started", style="bold")
    if participants := data.get("participants"):
        line.append(f" with {_clean(', '.join(map(str, participants)))}")


def _message(line: Text, data: Json) -> None:
    message = data.get("message") or {}
    name = message.get("agentName") or message.get("agentType") or message.get("role")
    colour = PALETTE[sum(map(ord, str(name))) % len(PALETTE)]
    line.append(_clean(name), style=f"bold {colour}").append(": ")
    line.append(_block(message.get("content")))
    costs = []
    if tokens := message.get("totalTokens"):
        costs.append(f"{tokens} tokens")
    if cost := message.get("cost"):
        costs.append(f"${cost:.4f}")
    if costs:
        line.append(f"  ({', '.join(costs)})", style="dim")


def _ended(line: Text, data: Json) -> None:
    status = str(data.get("status") or "ended").lower()
    line.append(f"{_clean(data.get('conversationId'))} {_clean(status)}", style="bold")
    line.append(
        f": {data.get('totalMessages') or 0} messages, {data.get('totalTokens') or 0} tokens, "
        f"${data.get('totalCost') or 0:.4f}"
    )
    if reason := data.get("reason"):
        line.append(f" ({_clean(reason)})", style="dim")


def _error(line: Text, data: Json) -> None:
    said = data.get("errorMessage") or data.get("error")
    line.append(f"error: {_block(said)}", style="red")


def _log(line: Text, data: Json) -> None:
    name = data.get("agentName") or data.get("agentType") or data.get("level")
    line.append(f"{_clean(name)} | {_block(data.get('content'))}", style="dim")


def _bridge(line: Text, data: Json) -> None:
    system = data.get("systemInfo") or {}
    version = system.get("agentpipeVersion") or system.get("agentpipe_version") or ""
    line.append(f"a recording tool said hello {_clean(version)}".rstrip(), style="dim")


def _truncated(line: Text, data: Json) -> None:
    line.append("what came before this is no longer held", style="yellow")


LINES: dict[str, Line] = {
    "conversation.started": _started,
    "message.created": _message,
    "conversation.completed": _ended,
    "conversation.interrupted": _ended,
    "conversation.error": _error,
    "error.occurred": _error,
    "log.entry": _log,
    "bridge.connected": _bridge,
    "bridge.test": _bridge,
    TRUNCATED: _truncated,
}
HEAD = {"id", "seq", "type", "timestamp"}


def _clock(timestamp: str) -> str:
    try:
        return f"{datetime.fromisoformat(timestamp).astimezone():%H:%M:%S}"
    except ValueError:
        return "--:--:--"


def _block(text: Any) -> str:
    return _clean(text).replace("\n", f"\n{INDENT}")


def _clean(text: Any) -> str:
    return "" if text is None else cleaned(str(text))
