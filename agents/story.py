"""A run as the list of what happened in it, one line a step, pieces of its text as one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents import wire
from agents.exchanges import STATUSES, duration
from agents.models import AgentRun
from streaming import replay
from streaming.events import Event, id_without_event, seq_of

# Of each kind what is shown of it; those that are missing here tell nothing by themselves.
NAMES = {
    "start": "Begun",
    "plan": "Plan",
    "tool_start": "Tool",
    "tool_end": "Result",
    "status": "Status",
    "rationale": "Thought",
    "content": "Text",
    "error": "Error",
    "end": "End",
}
MOST_READ = 5_000

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    kind: str
    words: str
    at: datetime
    # Since the run began.
    after: str

    @property
    def name(self) -> str:
        return NAMES[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    lines: list[Line]
    # There is more than is read for a page.
    is_cut: bool


def events_of(run: AgentRun, cursor: str | None, *, limit: int) -> list[Event]:
    """What this run has told, and no other attempt at the same answer; behind a cursor."""
    before = run.first_seq - 1
    after = max(seq_of(cursor), before) if cursor else before
    told = replay.told_after(run.topic, id_without_event(after), limit=limit)
    until = run.first_seq + run.told if run.is_finished else None
    return [event for event in told if event.seq > before and (until is None or event.seq < until)]


def is_held(run: AgentRun) -> bool:
    """Whether the log still has its beginning: events are not kept for ever."""
    first = events_of(run, None, limit=1)
    return bool(first) and first[0].seq == run.first_seq


def story_of(run: AgentRun) -> Story:
    told = events_of(run, None, limit=MOST_READ)
    return Story(lines=list(_lines(run, told)), is_cut=len(told) == MOST_READ)


def _lines(run: AgentRun, told: list[Event]) -> Iterator[Line]:
    began = run.started_at or run.created_at
    pieces: list[Event] = []
    said = 0
    for event in told:
        step = wire.step_shape(event)
        if event.kind == "content":
            pieces.append(event)
            said += len(step["md"])
            continue
        if pieces:
            yield _line(pieces[0], _written(said), began)
            pieces, said = [], 0
        if event.kind in NAMES:
            yield _line(event, _words(event.kind, step), began)
    if pieces:
        yield _line(pieces[0], _written(said), began)


def _line(event: Event, words: str, began: datetime) -> Line:
    ms = max(round((event.occurred_at - began).total_seconds() * 1000), 0)
    return Line(kind=event.kind, words=words, at=event.occurred_at, after=duration(ms))


def _written(characters: int) -> str:
    return f"{characters:,} character{'s' if characters != 1 else ''} of the answer"


def _words(kind: str, step: Json) -> str:
    match kind:
        case "plan":
            return _plan(step["items"])
        case "tool_start":
            return f"{step['name']} {step['args_summary']}".strip()
        case "tool_end":
            return f"{step['name']} · {duration(step['ms'] or 0)} · {step['result_summary']}"
        case "status" | "rationale":
            return str(step["text"])
        case "error":
            return str(step["error"])
        case "end":
            return STATUSES.get(str(step["status"]), "")
        case _:
            return ""


def _plan(items: list[Json]) -> str:
    done = sum(item["status"] == "completed" for item in items)
    current = next((item["text"] for item in items if item["status"] == "in_progress"), "")
    return f"{done} of {len(items)} done" + (f" · {current}" if current else "")
