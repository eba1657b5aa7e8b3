"""What comes in: files being imported, and events of no other place."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from conversations.errors import JobFinished
from conversations.models import IngestJob, RawEvent
from conversations.upload import jobs
from streaming.admin import ReadOnly, recent


@admin.register(IngestJob)
class IngestJobAdmin(ReadOnly):
    list_display = (
        "__str__",
        "project",
        "status",
        "progress",
        "found",
        "created_at",
    )
    list_filter = ("status", "project")
    list_select_related = ("project",)
    search_fields = ("file_name", "public_id")
    readonly_fields = ("progress",)
    actions = ("cancel",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[IngestJob]:
        rows: QuerySet[IngestJob] = super().get_queryset(request)
        return rows.select_related("project")

    @admin.display
    def progress(self, job: IngestJob) -> str:
        return format_html(
            '<progress max="100" value="{}"></progress> {} %', job.percentage, job.percentage
        )

    @admin.display
    def found(self, job: IngestJob) -> str:
        return f"{job.new} new, {job.known} known, {job.repaired} repaired, {job.failed} failed"

    @admin.action(description="Cancel the selected imports", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[IngestJob]) -> None:
        for job in queryset.order_by("pk"):
            try:
                jobs.cancel(job)
            except JobFinished:
                self.message_user(request, f"{job} has ended already.", messages.WARNING)
            else:
                self.message_user(request, f"{job} is cancelled; what it recorded stays.")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("conversations.change_ingestjob")


@admin.register(RawEvent)
class RawEventAdmin(ReadOnly):
    list_display = ("received_at", "kind", "project", "of_conversation")
    list_filter = (recent("kind"), "project", "received_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RawEvent]:
        rows: QuerySet[RawEvent] = super().get_queryset(request)
        return rows.select_related("project", "conversation")

    @admin.display(description="conversation")
    def of_conversation(self, event: RawEvent) -> str:
        return event.conversation.public_id if event.conversation else "-"
