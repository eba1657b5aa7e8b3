"""Steps of an answer as clients read them: schema v1, and the command center's."""

import json
from typing import Any

from agents.events import STEP_KINDS
from streaming.events import Event, iso, made_once

Json = dict[str, Any]

SCHEMA_VERSION = 1


def step_shape(event: Event) -> Json:
    return {**_head(event), **json.loads(event.payload)}


@made_once
def named_step(event: Event) -> bytes:
    """An SSE frame for `addEventListener`."""
    return f"event: {event.kind}\n".encode() + unnamed_step(event)


@made_once
def unnamed_step(event: Event) -> bytes:
    """An SSE frame for `onmessage`."""
    name, ts = event.id, iso(event.occurred_at)
    # The payload is JSON already, and in its head is nothing to be quoted: to read the one and
    # write both takes longer than all the rest.
    head = f'{{"v":{SCHEMA_VERSION},"type":"{event.kind}","id":"{name}","ts":"{ts}"'
    rest = "}" if event.payload == "{}" else f",{event.payload[1:]}"
    return f"id: {name}\ndata: {head}{rest}\n\n".encode()


# Under the names that clients have always known; the others are called what they are.
NAMES = {"agent.progress": "agent:progress", "agent.complete": "agent:complete"}


@made_once
def agent_frame(event: Event) -> bytes:
    """A named SSE frame of an agent's life; its data is the progress, the run, the step itself."""
    # Each kind has one family: what it carries is all between the first colon and the end.
    carried = event.payload[event.payload.index(":") + 1 : -1]
    name = NAMES.get(event.kind, event.kind)
    return f"event: {name}\nid: {event.id}\ndata: {carried}\n\n".encode()


def command_center_frame(event: Event) -> bytes:
    """`chunk` after `chunk`, then `cost` and `done`, or `error`; other steps are not shown."""
    step = json.loads(event.payload) if event.kind in STEP_KINDS else {}
    if event.kind == "content":
        return _frame("chunk", {"text": step["md"]})
    if event.kind == "status" and step.get("reset"):
        return _frame("reset", {})
    if event.kind == "error":
        return _frame("error", {"error": step["error"]})
    if event.kind == "end":
        return _end(step)
    return b""


def _head(event: Event) -> Json:
    return {"v": SCHEMA_VERSION, "type": event.kind, "id": event.id, "ts": iso(event.occurred_at)}


def _end(step: Json) -> bytes:
    if step["status"] == "cancelled":
        return _frame("error", {"error": "Cancelled"})
    if step["status"] != "completed":
        return b""
    used = step["usage"]
    cost = {
        "inputTokens": used["input_tokens"],
        "outputTokens": used["output_tokens"],
        "totalCost": round(used["cost"], 6),
    }
    return _frame("cost", cost) + _frame("done", {})


def _frame(name: str, data: Json) -> bytes:
    return f"event: {name}\ndata: {_text(data)}\n\n".encode()


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
