"""Scores, kept and told."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from conversations.models import Project
from streaming.events import iso
from streaming.publish import publish, transactional
from workflows.models import QualityScore, WorkflowRun
from workflows.quality.scoring import Verdict

Json = dict[str, Any]

QUALITY_UPDATED = "quality.updated"
TOTAL = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityUpdated:
    shape: Json
    occurred_at: datetime = field(default_factory=timezone.now)
    kind: str = field(default=QUALITY_UPDATED, init=False)
    subject: str = field(default="", init=False)
    is_final: bool = field(default=False, init=False)

    def payload(self) -> Json:
        return {"quality": self.shape}


def record(project: Project, verdict: Verdict, *, run: WorkflowRun | None = None) -> Json:
    """In the place of earlier scores of the same; the answer is what is told."""
    return keep(project, verdict.shape(), run=run, at=timezone.now())


@transactional
def keep(project: Project, shape: Json, *, run: WorkflowRun | None, at: datetime) -> Json:
    """The same of scores that were given elsewhere."""
    section_id = shape["sectionId"] or ""
    QualityScore.objects.filter(project=project, run=run, section_id=section_id).delete()
    total: Json = {"measure": TOTAL, "value": shape["total"]}
    QualityScore.objects.bulk_create(
        QualityScore(
            project=project,
            run=run,
            section_id=section_id,
            measure=one["measure"],
            score=one["value"],
            detail={name: said for name, said in one.items() if name not in ("measure", "value")},
            measured_at=at,
        )
        for one in [total, *shape["scores"]]
    )
    told = _told(shape, run, at)
    topics = [project.topic, *([run.topic] if run else [])]
    publish(QualityUpdated(shape=told, occurred_at=at), *topics)
    return told


def scores_of(project: Project, run: WorkflowRun | None) -> list[Json]:
    """The latest of a run, or of what belongs to none, as they were told; the whole comes first."""
    found = QualityScore.objects.filter(project=project, run=run).order_by("pk")
    by_section: dict[str, list[QualityScore]] = {}
    for score in found:
        by_section.setdefault(score.section_id, []).append(score)
    whole_first = sorted(by_section.items(), key=lambda one: one[0] != "")
    return [_shape_of(section_id, scores, run) for section_id, scores in whole_first]


def newest_run_of(project: Project) -> WorkflowRun | None:
    """The run whose scores are the latest of a project."""
    newest = QualityScore.objects.filter(project=project).order_by("-measured_at", "-pk")
    last = newest.select_related("run").first()
    return last.run if last else None


def _shape_of(section_id: str, scores: list[QualityScore], run: WorkflowRun | None) -> Json:
    totals = [score.score for score in scores if score.measure == TOTAL]
    shape: Json = {
        "sectionId": section_id or None,
        "total": totals[-1] if totals else None,
        "scores": [
            {"measure": score.measure, "value": score.score, **score.detail}
            for score in scores
            if score.measure != TOTAL
        ],
    }
    return _told(shape, run, scores[-1].measured_at)


def _told(shape: Json, run: WorkflowRun | None, at: datetime) -> Json:
    return {"runId": run.wire_id if run else None, **shape, "measuredAt": iso(at)}
