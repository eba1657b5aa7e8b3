"""Projects: who is in them, what they hold, how long they keep it."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html_join

from conversations.models import ApiKey, Conversation, Membership, Project, Total

DAYS_SHOWN = 30


class MembersInline(admin.TabularInline[Membership, Project]):
    """Those who are in it. A field to choose a user by would ask for each of them."""

    model = Membership
    fields = ("user", "role")
    readonly_fields = ("user",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "project")


class NewMemberInline(admin.TabularInline[Membership, Project]):
    model = Membership
    verbose_name = "new member"
    extra = 1
    autocomplete_fields = ("user",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).none()


class KeyInline(admin.TabularInline[ApiKey, Project]):
    """To look at; a key is made on a page of its own, where it is shown."""

    model = ApiKey
    fields = readonly_fields = ("name", "hint", "scopes", "last_used_at", "revoked_at")
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin[Project]):
    list_display = (
        "slug",
        "name",
        "retention_days",
        "conversation_count",
        "message_count",
        "last_taken",
    )
    search_fields = ("slug", "name")
    readonly_fields = ("created_at", "conversation_count", "message_count", "retention_account")
    inlines = (MembersInline, NewMemberInline, KeyInline)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # It would take every row of the project into memory.
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                conversations_held=Coalesce(_of_project(Conversation, Count("pk")), 0),
                # Summed over days: messages themselves are too many to count.
                messages_held=_of_project(Total, Sum("messages", filter=Q(unit=Total.Unit.DAY))),
            )
            .prefetch_related("retention")
        )

    @admin.display(description="conversations")
    def conversation_count(self, project: Any) -> int:
        held: int = project.conversations_held
        return held

    @admin.display(description="messages")
    def message_count(self, project: Any) -> int:
        return int(project.messages_held or 0)

    @admin.display(description="retention last ran")
    def last_taken(self, project: Project) -> str:
        account = _account(project)
        return (
            f"{account[0].last_run_at:%Y-%m-%d %H:%M} UTC: {_said(account[0].gone)}"
            if account
            else "-"
        )

    @admin.display(description="what retention took")
    def retention_account(self, project: Project) -> str:
        days = [(day.day, _said(day.gone)) for day in _account(project)[:DAYS_SHOWN]]
        return format_html_join("", "<div>{}: {}</div>", days) or "-"


def _of_project(model: type[Any], figure: Any) -> Subquery:
    of_this = model.objects.filter(project=OuterRef("pk")).order_by().values("project")
    return Subquery(of_this.annotate(figure=figure).values("figure"))


def _account(project: Project) -> list[Any]:
    return sorted(project.retention.all(), key=lambda day: day.day, reverse=True)


def _said(gone: dict[str, int]) -> str:
    went = [f"{count} {name.replace('_', ' ')}" for name, count in sorted(gone.items()) if count]
    return ", ".join(went) or "nothing"
