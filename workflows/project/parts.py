"""The parts of a project's page, each read by itself."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.template.loader import render_to_string
from django.utils.dateparse import parse_datetime

from agents import progress, roster
from conversations.models import Project
from streaming import replay
from streaming.events import id_without_event
from workflows.preview import sections
from workflows.preview.events import section_shape
from workflows.quality import recording

Json = dict[str, Any]
Read = Callable[[Project], Json]

PARTS_OF_A_SECTION = ("headline", "subheadline", "body", "cta")


def read_progress(project: Project) -> Json:
    found = progress.of_project(project)
    names = {agent.id: agent.name for agent in roster.agents()}
    for agent in found["agents"]:
        agent["name"] = names.get(agent["agentId"], agent["agentId"])
        agent["left_ms"] = (agent["estimatedTimeRemaining"] or 0) * 1000
    ends = found["estimatedCompletion"]
    ends_at = parse_datetime(ends) if ends else None
    return {**found, "ends": ends_at, "names": json.dumps(names)}


def read_preview(project: Project) -> Json:
    shapes = [section_shape(section) for section in sections.newest_of(project)]
    return {
        "run": shapes[0]["runId"] if shapes else None,
        "sections": [
            {
                "id": shape["sectionId"],
                "title": shape["title"],
                "kind": shape["kind"],
                "is_complete": shape["complete"],
                **{name: _text(shape["updates"].get(name)) for name in PARTS_OF_A_SECTION},
            }
            for shape in shapes
        ],
    }


def read_quality(project: Project) -> Json:
    run = recording.newest_run_of(project)
    return {"run": run.wire_id if run else None, "verdicts": recording.scores_of(project, run)}


def _text(said: object) -> str:
    """Frameworks outside may put into a part whatever they like."""
    if said is None or isinstance(said, str):
        return said or ""
    return json.dumps(said, ensure_ascii=False)


READ: Mapping[str, Read] = {
    "progress": read_progress,
    "preview": read_preview,
    "quality": read_quality,
}


def rendered(name: str, project: Project) -> str:
    # Before the rest is read: what comes in between is told again, and nothing is missed.
    since = id_without_event(replay.last_number(project.topic))
    shown = {**READ[name](project), "since": since, "project": project}
    return render_to_string(f"workflows/_{name}.html", shown)
