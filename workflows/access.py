"""Whose workflows and runs these are. Whatever one may not see does not exist."""

from django.db.models import Q, QuerySet

from conversations.access import Caller, projects_of, within_token
from conversations.models import Project
from streaming.errors import TopicUnknown
from workflows import catalog
from workflows.definition import Json
from workflows.errors import WorkflowNotFound, WorkflowRunNotFound
from workflows.models import Workflow, WorkflowRun


def workflow_runs_for(caller: Caller, project: Project | None) -> QuerySet[WorkflowRun]:
    runs = WorkflowRun.objects.filter(project__in=projects_of(caller))
    if project is not None:
        runs = runs.filter(project=project)
    return runs.select_related("project")


def workflow_for(project: Project, name: str) -> Workflow:
    """A project's own, or one that comes with the server. Raises WorkflowNotFound."""
    own = Workflow.objects.filter(project=project, name=name).first() if "\0" not in name else None
    if own is not None:
        return own
    definition = catalog.shipped().get(name)
    if definition is None:
        raise WorkflowNotFound
    return shipped(project, definition)


class WorkflowsOf:
    """Those that come with the server, and the project's own; as a list to be shown in pages."""

    def __init__(self, project: Project) -> None:
        ready = [shipped(project, definition) for definition in catalog.shipped().values()]
        self.all = [*ready, *Workflow.objects.filter(project=project)]

    def count(self) -> int:
        return len(self.all)

    def __getitem__(self, part: slice) -> list[Workflow]:
        return self.all[part]


def shipped(project: Project, definition: Json) -> Workflow:
    """As the project's, but for being kept."""
    return Workflow(
        project=project,
        name=definition["name"],
        title=definition.get("title", ""),
        description=definition.get("description", ""),
        definition=definition,
    )


def workflow_run_for(caller: Caller, run_id: str, *, project: Project | None = None) -> WorkflowRun:
    """By our id, or by that of a framework outside. Raises WorkflowRunNotFound."""
    if "\0" in run_id or not run_id:
        raise WorkflowRunNotFound
    known = workflow_runs_for(caller, project).filter(Q(public_id=run_id) | Q(outside_id=run_id))
    run = known.order_by("pk").first()
    if run is None:
        raise WorkflowRunNotFound
    return run


def workflow_run_topic(caller: Caller, run_id: str) -> str:
    """The topic behind `workflow-run:ID`."""
    try:
        return within_token(caller, workflow_run_for(caller, run_id).topic)
    except WorkflowRunNotFound as error:
        raise TopicUnknown from error
