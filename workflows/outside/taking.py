"""Events from outside: all of them kept and told in one transaction, or none."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from django.utils import timezone

from agents import outside as agents
from agents import progress
from agents.errors import RunIsOurs
from agents.events import AgentEvent
from agents.schemas import MessageGiven, ProgressGiven, RunGiven, StepGiven
from conversations.errors import KeyUsedBefore
from conversations.ingest.dispatch import fingerprint_of
from conversations.models import Project, Receipt
from conversations.recording import KEYS_REMEMBERED
from streaming.events import Event
from streaming.publish import publish, transactional, when_told
from workflows.errors import Invalid
from workflows.outside import courses
from workflows.outside.reading import GivenEvent
from workflows.outside.schemas import NodeGiven, QualityGiven, SectionGiven, WorkflowGiven

Json = dict[str, Any]


def take(
    project: Project, events: Sequence[GivenEvent], *, body: bytes, key: str | None = None
) -> Json:
    """The answer names the events as streams do; under a known key it is what it was.

    Raises Invalid where one is of something that is carried out here, and KeyUsedBefore.
    """
    if key is None:
        return _take(project, events)
    return _take_once(project, events, fingerprint_of("events", key), sha256(body).digest())


@transactional
def _take_once(
    project: Project, events: Sequence[GivenEvent], identity: bytes, digest: bytes
) -> Json:
    # First: of two requests with one key, the second then finds the answer to the first.
    progress.lock([project.pk])
    known = Receipt.objects.filter(project=project, identity=identity)
    known.filter(created_at__lt=timezone.now() - KEYS_REMEMBERED).delete()
    first = known.first()
    if first is not None:
        if bytes(first.fingerprint or b"") != digest:
            raise KeyUsedBefore
        answer: Json = first.answer
        return answer
    receipt = Receipt.objects.create(project=project, identity=identity, fingerprint=digest)
    return _take(project, events, receipt)


@transactional
def _take(project: Project, events: Sequence[GivenEvent], receipt: Receipt | None = None) -> Json:
    progress.lock([project.pk])
    # Of what the project is told, which of it stands for each of these events.
    places: list[int] = []
    told = 0
    for event in events:
        try:
            kinds = _take_one(project, event)
        except RunIsOurs as error:
            place = "id" if isinstance(event.given, RunGiven | WorkflowGiven) else "runId"
            raise Invalid([([*event.path, place], str(error), "custom")]) from error
        places.append(told + len(kinds) - 1 - kinds[::-1].index(event.kind))
        told += len(kinds)
    answer: Json = {"accepted": len(events), "events": []}

    def number(heard: Sequence[Event]) -> None:
        of_project = [event for event in heard if event.topic == project.topic]
        answer["events"] = [
            {"id": of_project[place].id, "type": of_project[place].kind} for place in places
        ]
        if receipt is not None:
            receipt.answer = answer
            receipt.save(update_fields=["answer"])

    when_told(number)
    return answer


def _take_one(project: Project, event: GivenEvent) -> list[str]:
    """Says which kinds the project is told, in order."""
    given, at = event.given, event.at
    match given:
        case RunGiven():
            return _tell(project, agents.take_run(project, given, kind=event.kind, at=at), event)
        case StepGiven():
            return _tell(project, agents.take_step(project, given, at=at), event)
        case MessageGiven():
            return _tell(project, agents.take_message(project, given, at=at), event)
        case ProgressGiven():
            told = agents.take_progress(project, given, kind=event.kind, at=at)
            return _tell(project, told, event)
        case WorkflowGiven():
            return courses.take_run(project, given, at=at)
        case NodeGiven():
            return courses.take_node(project, given, at=at)
        case QualityGiven():
            return courses.take_quality(project, given, at=at)
        case SectionGiven():
            return courses.take_section(project, given, at=at)
        case _:
            raise AssertionError(event.kind)


def _tell(project: Project, told: list[AgentEvent], event: GivenEvent) -> list[str]:
    for one in told:
        publish(replace(one, occurred_at=event.at), project.topic)
    return [one.kind for one in told]
