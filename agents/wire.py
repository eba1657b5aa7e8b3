"""Steps of an answer as clients read them: schema v1, and the command center's."""

import json
from typing import Any

from agents.events import STEP_KINDS
from streaming.events import Event, iso

Json = dict[str, Any]

SCHEMA_VERSION = 1


def step_shape(event: Event) -> Json:
    return {**_head(event), **json.loads(event.payload)}


def named_step(event: Event) -> bytes:
    """An SSE frame for `addEventListener`."""
    cached = event.rendered.get(named_step)
    if cached is None:
        cached = f"event: {event.kind}\n".encode() + unnamed_step(event)
        event.rendered[named_step] = cached
    assert isinstance(cached, bytes)
    return cached


def unnamed_step(event: Event) -> bytes:
    """An SSE frame for `onmessage`."""
    cached = event.rendered.get(unnamed_step)
    if cached is None:
        name, ts = event.id, iso(event.occurred_at)
        # The payload is JSON already, and in its head is nothing to be quoted: to read the one and
        # write both takes longer than all the rest.
        head = f'{{"v":{SCHEMA_VERSION},"type":"{event.kind}","id":"{name}","ts":"{ts}"'
        rest = "}" if event.payload == "{}" else f",{event.payload[1:]}"
        cached = f"id: {name}\ndata: {head}{rest}\n\n".encode()
        event.rendered[unnamed_step] = cached
    assert isinstance(cached, bytes)
    return cached


# Under the names that clients have always known; the others are called what they are.
NAMES = {"agent.progress": "agent:progress", "agent.complete": "agent:complete"}


def agent_frame(event: Event) -> bytes:
    """A named SSE frame of an agent's life; its data is the progress, the run, the step itself."""
    cached = event.rendered.get(agent_frame)
    if cached is None:
        # Each kind has one family: what it carries is all between the first colon and the end.
        carried = event.payload[event.payload.index(":") + 1 : -1]
        name = NAMES.get(event.kind, event.kind)
        cached = f"event: {name}\nid: {event.id}\ndata: {carried}\n\n".encode()
        event.rendered[agent_frame] = cached
    assert isinstance(cached, bytes)
    return cached


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
