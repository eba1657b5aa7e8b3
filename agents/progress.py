"""How far the agents of a project are: a row for each, and what they come to together.

A row is that of the agent's newest run, or of what an agent outside says of itself. The rows of a
project change one transaction after the other, so that what is told of the whole follows the order
of the events; where it goes back, the event says why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from django.db import connection
from django.utils import timezone

from agents import events, history, pace
from agents.errors import ProgressNotFound
from agents.events import AgentEvent, Json
from agents.models import AgentRun, Progress
from agents.pace import Pace, Part
from conversations.models import Project
from streaming.events import iso
from streaming.publish import publish, transactional

Reason = Literal["agent_joined", "agent_restarted", "plan_grew", "agent_went_back"]

# Marks our advisory locks: "prog" in ASCII, above the bits of a project's key.
LOCK = 0x70726F67 << 32
COMPLETED = "completed"
# What a report may say of where the agent is.
SAID = ("status", "percentage", "current_step", "total_steps", "tokens_used", "cost")
KEPT = [
    *("run", "status", "percentage", "current_step", "total_steps", "remaining_s", "tokens_used"),
    *("cost", "updated_at", "began_at", "began_with", "reached_at", "noted", "noted_at"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is new of an agent; what is None is as it was."""

    project_id: int
    agent_id: str
    run: AgentRun | None = None
    status: str | None = None
    percentage: float | None = None
    current_step: int | None = None
    total_steps: int | None = None
    remaining_s: float | None = None
    tokens_used: int | None = None
    cost: Decimal | None = None
    # Told to followers, and not kept.
    content: str = ""
    reasoning: str = ""
    confidence: float | None = None
    at: datetime = field(default_factory=timezone.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """In the shape of a row that is not kept: to make one of those takes longer than to tell it."""

    agent_id: str
    status: str = "running"
    percentage: float = 0.0
    current_step: int = 0
    total_steps: int = 0
    remaining_s: float | None = None
    tokens_used: int = 0
    cost: Decimal = Decimal(0)
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What came of a report: how far the agent is, and the whole with it."""

    row: Progress | Glimpse
    events: tuple[AgentEvent, ...]


@transactional
def put(project: Project, report: Report) -> Json:
    """What an agent outside says of itself; answers with all that is known of it."""
    (standing,) = take([report])
    for event in standing.events:
        publish(event, project.topic)
    return events.progress_shape(standing.row)


def of_project(project: Project) -> Json:
    rows = list(project.progress.all())
    return {**_whole(rows), "agents": [events.progress_shape(row) for row in rows]}


def of_agent(project: Project, agent_id: str) -> Json:
    """Raises ProgressNotFound."""
    row = project.progress.filter(agent_id=agent_id).first() if "\0" not in agent_id else None
    if row is None:
        raise ProgressNotFound
    return events.progress_shape(row)


def take(reports: Sequence[Report]) -> list[Standing]:
    """Write them in order, inside a transaction that then tells the events of each."""
    if not reports:
        return []
    project_ids = {report.project_id for report in reports}
    lock(project_ids)
    known: dict[int, dict[str, Progress]] = {}
    for found in Progress.objects.filter(project__in=project_ids):
        known.setdefault(found.project_id, {})[found.agent_id] = found
    standings = [move(known.setdefault(one.project_id, {}), one) for one in reports]
    kept = [standing.row for standing in standings if isinstance(standing.row, Progress)]
    changed = {id(row): row for row in kept}
    history.note(changed.values())
    _write(changed.values())
    return standings


def move(rows: dict[str, Progress], report: Report) -> Standing:
    """What a report makes of the rows of its project, by agent."""
    row = rows.get(report.agent_id)
    if row and _is_superseded(row, report):
        return passing(report)
    before = pace.overall(each.percentage for each in rows.values())
    had_completed = bool(row and row.status == COMPLETED and not _is_restarted(row, report))
    row, reason = _moved(row, report) if row else _joined(report)
    rows[report.agent_id] = row
    whole = _whole(rows.values())
    whole["reason"] = reason if whole["overall"] < events.plain(before) else None
    has_completed = row.status == COMPLETED and not had_completed
    return _standing(row, report, whole, has_completed=has_completed)


def lock(project_ids: Iterable[int]) -> None:
    """Until the end of the transaction, progress in these projects is written by nobody else."""
    with connection.cursor() as cursor:
        for project_id in sorted(project_ids):
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK + project_id])


def passing(report: Report) -> Standing:
    """What is told of an agent without being kept: between two reports that are."""
    said = {name: value for name in SAID if (value := getattr(report, name)) is not None}
    if report.status == COMPLETED and report.percentage is None:
        said["percentage"] = pace.WHOLE
        said.setdefault("current_step", report.total_steps or 0)
    row = Glimpse(
        agent_id=report.agent_id,
        remaining_s=report.remaining_s,
        updated_at=report.at,
        **said,
    )
    return _standing(row, report, {}, has_completed=report.status == COMPLETED)


def _standing(
    row: Progress | Glimpse, report: Report, whole: Json, *, has_completed: bool
) -> Standing:
    told = events.progress(row, report, whole)
    both = (told, events.complete(row, report, whole)) if has_completed else (told,)
    return Standing(row=row, events=both)


def _is_superseded(row: Progress, report: Report) -> bool:
    """An agent with several runs is where its newest is."""
    return bool(report.run and row.run_id and report.run.pk < row.run_id)


def _joined(report: Report) -> tuple[Progress, Reason]:
    row = Progress(project_id=report.project_id, agent_id=report.agent_id)
    _begin(row, report)
    return row, "agent_joined"


def _moved(row: Progress, report: Report) -> tuple[Progress, Reason | None]:
    if _is_restarted(row, report):
        _begin(row, report)
        return row, "agent_restarted"
    before, steps_before = row.percentage, row.total_steps
    _say(row, report)
    if row.percentage == before:
        reason: Reason | None = None
    elif row.percentage > before:
        row.reached_at, reason = row.updated_at, None
    else:
        row.reached_at = row.updated_at
        reason = "plan_grew" if row.total_steps > steps_before else "agent_went_back"
        if row.percentage <= row.began_with:
            row.began_at, row.began_with = row.updated_at, row.percentage
    _estimate(row, report, has_moved=row.percentage != before)
    return row, reason


def _is_restarted(row: Progress, report: Report) -> bool:
    if report.run is not None and row.run_id is not None:
        return report.run.pk != row.run_id
    return row.is_finished and report.status is not None and report.status not in Progress.ENDED


def _begin(row: Progress, report: Report) -> None:
    row.run = None
    row.status = Progress._meta.get_field("status").default
    row.percentage = row.current_step = row.total_steps = row.tokens_used = 0
    row.cost, row.remaining_s = Decimal(0), None
    _say(row, report)
    row.began_at = row.reached_at = row.updated_at
    row.began_with = row.percentage
    _estimate(row, report, has_moved=True)


def _say(row: Progress, report: Report) -> None:
    if report.run is not None:
        row.run = report.run
    # In another order than it happened, it has still been heard of last.
    row.updated_at = report.at if row.pk is None else max(row.updated_at, report.at)
    if report.status == COMPLETED and report.percentage is None:
        row.percentage, row.current_step = pace.WHOLE, row.total_steps
    for name in SAID:
        said = getattr(report, name)
        if said is not None:
            setattr(row, name, said)


def _estimate(row: Progress, report: Report, *, has_moved: bool) -> None:
    if report.remaining_s is not None:
        row.remaining_s = report.remaining_s
    elif row.is_finished:
        row.remaining_s = 0 if row.status == COMPLETED else None
    elif has_moved or report.run is not None:
        kept = Pace(
            began_at=row.began_at,
            began_with=row.began_with,
            reached_at=row.reached_at,
            percentage=row.percentage,
        )
        row.remaining_s = kept.remaining_s(row.updated_at, steps=row.total_steps)


def _whole(rows: Iterable[Progress]) -> Json:
    parts = [
        Part(
            percentage=row.percentage,
            is_finished=row.is_finished,
            began_at=row.began_at,
            updated_at=row.updated_at,
            remaining_s=row.remaining_s,
        )
        for row in rows
    ]
    ends_at = pace.completion(parts)
    return {
        "overall": events.plain(pace.overall(part.percentage for part in parts)),
        "estimatedCompletion": iso(ends_at) if ends_at else None,
    }


def _write(rows: Iterable[Progress]) -> None:
    Progress.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["project", "agent_id"],
        update_fields=KEPT,
    )
