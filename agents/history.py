"""How far agents were, for charts: fewer points the longer ago it was."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from agents.events import Json, plain
from agents.models import Progress, ProgressPoint
from conversations.models import Project
from streaming.events import iso

EVERY = timedelta(seconds=1)
MOST_POINTS = 10_000
# What is older than the first keeps one point of each agent in every such time.
THINNED = (
    (timedelta(hours=1), timedelta(seconds=10)),
    (timedelta(days=1), timedelta(minutes=5)),
)


def note(rows: Iterable[Progress]) -> None:
    """Keep a point of those that are elsewhere than at their last one, once a second at most."""
    points = []
    for row in rows:
        is_due = row.noted_at is None or row.is_finished or row.updated_at - row.noted_at >= EVERY
        if row.noted == row.percentage or not is_due:
            continue
        row.noted, row.noted_at = row.percentage, row.updated_at
        points.append(
            ProgressPoint(
                project_id=row.project_id,
                agent_id=row.agent_id,
                percentage=row.percentage,
                at=row.updated_at,
            )
        )
    if points:
        ProgressPoint.objects.bulk_create(points)


def since(project: Project, moment: datetime | None, *, agent_ids: list[str]) -> Json:
    """Points in order, from a moment on, without it; `has_more` behind the last of them."""
    points = project.progress_points.all()
    if moment is not None:
        points = points.filter(at__gt=moment)
    if agent_ids:
        points = points.filter(agent_id__in=agent_ids)
    found = list(points[: MOST_POINTS + 1])
    has_more = len(found) > MOST_POINTS
    if has_more:
        # Points of one moment stay together, or who asks from there on would miss some.
        cut = found[-1].at
        found = [point for point in found if point.at != cut] or found[:MOST_POINTS]
    return {"items": [_shape(point) for point in found], "has_more": has_more}


def thin() -> int:
    """Drop what is too much for its age; says how many points went."""
    now = timezone.now()
    gone = sum(_thin(now - older_than, apart) for older_than, apart in THINNED)
    if settings.STREAM_RETENTION_DAYS:
        too_old = now - timedelta(days=settings.STREAM_RETENTION_DAYS)
        gone += ProgressPoint.objects.filter(at__lt=too_old).delete()[0]
    return gone


def _thin(before: datetime, apart: timedelta) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM agents_progresspoint WHERE id IN (SELECT id FROM ("
            " SELECT id, row_number() OVER (PARTITION BY project_id, agent_id,"
            "  date_bin(make_interval(secs => %s), at, 'epoch') ORDER BY at DESC, id DESC) AS place"
            " FROM agents_progresspoint WHERE at < %s) old WHERE place > 1)",
            [apart.total_seconds(), before],
        )
        return int(cursor.rowcount)


def _shape(point: ProgressPoint) -> dict[str, Any]:
    return {
        "agentId": point.agent_id,
        "percentage": plain(point.percentage),
        "timestamp": iso(point.at),
    }
