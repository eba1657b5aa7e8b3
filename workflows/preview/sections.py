"""The sections of a preview: laid out, filled in, and read.

What a section says is kept under `parts`. Of one that an agent of ours writes, its answer so far is
kept as well, with the run that it is of, because another run begins it anew; and what of it was
told, because not every piece is.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from agents.backends.writer.form import CLOSING, parts_of
from conversations.models import Project
from streaming.publish import publish, transactional
from workflows.models import PreviewSection, WorkflowRun
from workflows.preview.events import section_updated

# What is told of a section that grows all the time.
TOLD_EVERY = timedelta(milliseconds=120)


@transactional
def lay_out(run: WorkflowRun, sections: Sequence[Mapping[str, str]]) -> None:
    """Empty sections, in order: those of a run that is run again are emptied, others go."""
    run.preview_sections.exclude(section_id__in=[one["id"] for one in sections]).delete()
    for position, one in enumerate(sections):
        section, _ = PreviewSection.objects.update_or_create(
            run=run,
            section_id=one["id"],
            defaults={
                "project": run.project,
                "position": position,
                "content": {"title": one["title"], "kind": one["kind"], "parts": {}},
                "is_complete": False,
                "updated_at": timezone.now(),
            },
        )
        _tell(section, {"title": one["title"], "kind": one["kind"]})


@transactional
def show(
    project: Project,
    section_id: str,
    updates: Mapping[str, Any],
    *,
    is_complete: bool,
    run: WorkflowRun | None = None,
) -> PreviewSection:
    """Take over what is new of a section, wherever it was written; a new one comes last."""
    known = PreviewSection.objects.filter(project=project, run=run)
    section, _ = known.select_for_update(no_key=True, of=("self",)).get_or_create(
        section_id=section_id,
        defaults={"project": project, "run": run, "position": known.count, "content": {}},
    )
    kept = section.content
    section.content = {**kept, "parts": {**kept.get("parts", {}), **updates}}
    section.is_complete = is_complete
    _save(section)
    _tell(section, updates)
    return section


def write_on(run: WorkflowRun, section_id: str, *, by: str, text: str, is_anew: bool) -> None:
    """A piece more of the answer by which a section is written; told when there is enough of it.

    Inside the transaction that keeps the piece: it is shown once, however often a worker dies.
    """
    sections = run.preview_sections.select_for_update(no_key=True, of=("self",))
    section = sections.filter(section_id=section_id).first()
    if section is None:
        return
    kept = section.content
    goes_on = kept.get("by") == by and not is_anew
    whole = kept["text"] + text if goes_on else text
    told, parts = kept.get("told", {}), parts_of(whole)
    section.content = {**kept, "by": by, "text": whole, "parts": parts}
    section.is_complete = whole.endswith(CLOSING)
    if section.is_complete or told.keys() != parts.keys() or _is_due(section):
        section.content["told"] = parts
        section.updated_at = timezone.now()
        section.run = run
        names = [*parts, *(name for name in told if name not in parts)]
        news = {name: parts.get(name, "") for name in names if told.get(name) != parts.get(name)}
        _tell(section, news)
    section.save(update_fields=["content", "is_complete", "updated_at"])


def of_run(run: WorkflowRun) -> list[PreviewSection]:
    return list(run.preview_sections.select_related("run"))


def newest_of(project: Project) -> list[PreviewSection]:
    """The sections of the page that was laid out last; those of no run stand for a page, too."""
    of_project = PreviewSection.objects.filter(project=project)
    last = of_project.order_by("-pk").first()
    if last is None:
        return []
    return list(of_project.filter(run=last.run_id).select_related("run"))


def _is_due(section: PreviewSection) -> bool:
    return timezone.now() - section.updated_at >= TOLD_EVERY


def _save(section: PreviewSection) -> None:
    section.updated_at = timezone.now()
    section.save(update_fields=["content", "is_complete", "updated_at"])


def _tell(section: PreviewSection, updates: Mapping[str, Any]) -> None:
    topics = [section.project.topic, *([section.run.topic] if section.run else [])]
    publish(section_updated(section, updates), *topics)
