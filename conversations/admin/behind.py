"""What the record keeps for itself: totals, deleted ids, receipts, what search has to read."""

from django.contrib import admin

from conversations.models import (
    DeletedConversation,
    Receipt,
    RetentionDay,
    Total,
    Unindexed,
)
from streaming.admin import ReadOnly


@admin.register(DeletedConversation)
class DeletedConversationAdmin(ReadOnly):
    list_display = ("public_id", "project", "deleted_at")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("public_id__startswith",)


@admin.register(RetentionDay)
class RetentionDayAdmin(ReadOnly):
    list_display = ("day", "project", "last_run_at", "gone")
    list_filter = ("project",)
    list_select_related = ("project",)


@admin.register(Total)
class TotalAdmin(ReadOnly):
    list_display = (
        "unit",
        "slot",
        "project",
        "source",
        "agent_type",
        "model",
        "messages",
        "total_tokens",
        "cost",
    )
    list_filter = ("project", "unit", "slot")
    list_select_related = ("project",)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnly):
    list_display = ("created_at", "project", "made_id")
    list_filter = ("project", "created_at")
    list_select_related = ("project",)
    # An identity is a digest of what was sent.
    exclude = ("identity", "fingerprint")


@admin.register(Unindexed)
class UnindexedAdmin(ReadOnly):
    list_display = ("pk", "project", "conversation_id", "message_id")
    list_select_related = ("project",)
