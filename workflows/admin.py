"""What workflows did, for those who run the server: to look at, never to touch."""

from django.contrib import admin

from streaming.admin import ReadOnly
from workflows.models import NodeState, PreviewSection, QualityScore, Workflow, WorkflowRun


class NodesInline(admin.TabularInline[NodeState, WorkflowRun]):
    model = NodeState
    fields = ("node_id", "item", "kind", "state", "attempt", "summary", "error", "finished_at")
    extra = 0


@admin.register(Workflow)
class WorkflowAdmin(ReadOnly):
    list_display = ("name", "title", "project", "version", "updated_at")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name", "title")


@admin.register(WorkflowRun)
class WorkflowRunAdmin(ReadOnly):
    list_display = (
        "public_id",
        "workflow_name",
        "project",
        "source",
        "status",
        "started_by",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", "source", "project")
    list_select_related = ("project",)
    search_fields = ("public_id", "outside_id", "workflow_name")
    date_hierarchy = "created_at"
    inlines = (NodesInline,)


@admin.register(PreviewSection)
class PreviewSectionAdmin(ReadOnly):
    list_display = ("section_id", "run", "project", "is_complete", "updated_at")
    list_filter = ("project",)
    list_select_related = ("project", "run")


@admin.register(QualityScore)
class QualityScoreAdmin(ReadOnly):
    list_display = ("measure", "section_id", "score", "run", "project", "measured_at")
    list_filter = ("measure", "project")
    list_select_related = ("project", "run")
