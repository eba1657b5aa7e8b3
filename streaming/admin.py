"""Look at the log, never touch it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from streaming.models import EventBody, Topic


class ReadOnly(admin.ModelAdmin[Any]):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Topic)
class TopicAdmin(ReadOnly):
    list_display = ("name", "first_seq", "last_seq", "has_ended")
    list_filter = ("has_ended",)
    search_fields = ("name",)
    ordering = ("name",)


@admin.register(EventBody)
class EventBodyAdmin(ReadOnly):
    list_display = ("recorded_at", "kind", "subject", "told_to")
    list_filter = ("kind",)
    date_hierarchy = "recorded_at"
    ordering = ("-recorded_at",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("entry_set__topic")

    @admin.display(description="topics")
    def told_to(self, body: EventBody) -> str:
        return ", ".join(f"{entry.topic.name} #{entry.seq}" for entry in body.entry_set.all())
