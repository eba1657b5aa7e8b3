"""The answer of an agent, shown as a section of a page while it is written."""

from collections.abc import Sequence
from typing import Any

from agents.events import StepEvent
from agents.models import AgentRun
from workflows.models import WorkflowRun
from workflows.preview import sections


def read_along(run: AgentRun, steps: Sequence[StepEvent]) -> None:
    """For a run whose metadata say which section of which workflow's run it writes.

    Anybody may say so: only sections that are laid out in the same project are written on.
    """
    text, is_anew = "", False
    for step in steps:
        if step.kind == "content":
            text += step.data["md"]
        elif step.data.get("reset"):
            text, is_anew = "", True
    workflow_run = _named(run)
    if workflow_run is not None and (text or is_anew):
        section_id = str(run.metadata["preview"].get("section"))
        sections.write_on(workflow_run, section_id, by=run.public_id, text=text, is_anew=is_anew)


def _named(run: AgentRun) -> WorkflowRun | None:
    named: Any = run.metadata["preview"]
    public_id = named.get("run") if isinstance(named, dict) else None
    if not isinstance(public_id, str) or "\0" in public_id:
        return None
    runs = WorkflowRun.objects.filter(public_id=public_id, project=run.project_id)
    return runs.select_related("project").first()
