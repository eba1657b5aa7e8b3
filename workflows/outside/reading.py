"""From a body to the events in it, each with what it carries; or all that is wrong with them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from agents.schemas import MessageGiven, ProgressGiven, RunGiven, StepGiven
from conversations.ingest.dispatch import EXPECTED_OBJECT, Fault, detail
from conversations.ingest.types import parse_time
from workflows.errors import Invalid
from workflows.outside.schemas import NodeGiven, QualityGiven, SectionGiven, WorkflowGiven

MOST_EVENTS = 1_000
MOST_FAULTS = 100

FAMILIES: dict[str, tuple[str, type[BaseModel]]] = {
    **{
        f"agent.run.{what}": ("run", RunGiven)
        for what in ("created", "updated", "completed", "failed")
    },
    "agent.step.updated": ("step", StepGiven),
    "agent.message.appended": ("message", MessageGiven),
    "agent.progress": ("progress", ProgressGiven),
    "agent.complete": ("progress", ProgressGiven),
    "workflow.run.updated": ("workflow", WorkflowGiven),
    "workflow.node_state.updated": ("node", NodeGiven),
    "quality.updated": ("quality", QualityGiven),
    "preview.section.updated": ("section", SectionGiven),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenEvent:
    kind: str
    at: datetime
    # One of the models above, by its kind.
    given: Any
    # Where it stands in the body, up to what it carries.
    path: tuple[str | int, ...]


def read_events(body: object) -> list[GivenEvent]:
    """Raises Invalid with every fault, each where it is."""
    if not isinstance(body, list):
        return _checked([_read(body, ())])
    if not 1 <= len(body) <= MOST_EVENTS:
        code = "too_big" if body else "too_small"
        raise Invalid([([], f"Expected 1 to {MOST_EVENTS} events", code)])
    return _checked([_read(event, (place,)) for place, event in enumerate(body)])


def _checked(read: list[GivenEvent | list[Fault]]) -> list[GivenEvent]:
    faults = [fault for one in read if isinstance(one, list) for fault in one]
    if faults:
        raise Invalid(faults[:MOST_FAULTS])
    return [one for one in read if isinstance(one, GivenEvent)]


def _read(event: object, path: tuple[str | int, ...]) -> GivenEvent | list[Fault]:
    if not isinstance(event, dict):
        return [([*path], EXPECTED_OBJECT, "invalid_type")]
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        code = "required" if kind is None else "invalid_enum_value"
        return [([*path, "type"], f"Expected one of {', '.join(FAMILIES)}", code)]
    family, model = FAMILIES[kind]
    faults: list[Fault] = []
    at = timezone.now()
    try:
        if event.get("timestamp") not in (None, ""):
            at = parse_time(event["timestamp"])
    except PydanticCustomError as error:
        faults.append(([*path, "timestamp"], error.message(), "invalid_string"))
    place = (*path, family)
    if not isinstance(event.get(family), dict):
        message, code = (
            (EXPECTED_OBJECT, "invalid_type") if family in event else ("Required", "required")
        )
        return [*faults, ([*place], message, code)]
    try:
        given = model.model_validate(event[family])
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            where, message, code = detail(fault)
            faults.append(([*place, *where], message, code))
        return faults
    if isinstance(given, ProgressGiven) and given.agent_id is None:
        faults.append(([*place, "agentId"], "Required", "required"))
    return faults or GivenEvent(kind=kind, at=at, given=given, path=place)
