"""What frameworks outside tell of workflows, of pages and of how good these are."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from agents.schemas import LongText, Name, OutsideId, Percentage
from conversations.ingest.camel import Camel
from conversations.ingest.types import Object, Text, Time, Whole

MOST_NODES = 10_000
MOST_SCORES = 100
MOST_ATTEMPTS = 2**31 - 1

Attempt = Annotated[Whole, Field(le=MOST_ATTEMPTS)]
Summary = Annotated[Text, Field(max_length=2_000)]


class WorkflowGiven(Camel):
    id: OutsideId
    workflow: Name | None = None
    status: Literal["queued", "running", "waiting", "completed", "failed", "cancelled"] | None = (
        None
    )
    error: LongText | None = None
    input: Object | None = None
    output: Object | None = None
    started_at: Time | None = None
    finished_at: Time | None = None


class NodeGiven(Camel):
    id: Name
    run_id: OutsideId
    workflow: Name | None = None
    # The place in the list that a node maps over.
    item: Annotated[Whole, Field(lt=MOST_NODES)] | None = None
    kind: Annotated[Text, Field(max_length=50)] | None = None
    title: Annotated[Text, Field(max_length=200)] | None = None
    state: Literal[
        "pending", "queued", "running", "waiting", "completed", "failed", "skipped", "cancelled"
    ]
    attempt: Attempt | None = None
    summary: Summary | None = None
    error: LongText | None = None
    input: Object | None = None
    output: Object | None = None
    started_at: Time | None = None
    finished_at: Time | None = None


class ScoreGiven(Camel):
    measure: Annotated[Text, Field(min_length=1, max_length=100)]
    value: Percentage
    name: Name | None = None
    why: Summary | None = None
    detail: Object | None = None


def _listed(scores: object) -> object:
    """Also `{"readability": 71}`."""
    if not isinstance(scores, dict):
        return scores
    return [{"measure": measure, "value": value} for measure, value in scores.items()]


class QualityGiven(Camel):
    run_id: OutsideId | None = None
    section_id: Name | None = None
    total: Percentage | None = None
    scores: Annotated[
        list[ScoreGiven], Field(min_length=1, max_length=MOST_SCORES), BeforeValidator(_listed)
    ]


class SectionGiven(Camel):
    section_id: Name
    run_id: OutsideId | None = None
    updates: Object
    complete: Annotated[bool, Field(strict=True)] = False


Given = WorkflowGiven | NodeGiven | QualityGiven | SectionGiven
Json = dict[str, Any]
