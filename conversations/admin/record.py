"""Conversations and messages: looked at, exported, deleted, never written."""

from typing import Any
from urllib.parse import quote

from django.contrib import admin, messages
from django.db.models import QuerySet, Sum
from django.db.models.functions import Left
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator
from rest_framework.request import Request

from conversations.export.archive import archive
from conversations.export.download import download
from conversations.models import Conversation, Message
from conversations.services import delete_conversation
from streaming.admin import ReadOnly, recent

NAME_LENGTH = 80
PREVIEW_LENGTH = 300
MOST_PARTICIPANTS = 50
FIRST_AND_LAST = 10
WIDE = ("initial_prompt", "metadata", "notes", "system_info", "summary", "error_message")
IN_ORDER = ("sequence_number", "timestamp", "id")


def short(words: str) -> str:
    return Truncator(words).chars(NAME_LENGTH)


@admin.register(Conversation)
class ConversationAdmin(ReadOnly):
    list_display = ("title", "project", "status", "mode", "total_messages", "cost", "started_at")
    list_filter = ("status", "kind", recent("source"), "project")
    list_select_related = ("project",)
    search_fields = ("name", "public_id")
    search_help_text = "Part of a name or of an id"
    date_hierarchy = "started_at"
    actions = ("export",)
    readonly_fields = ("addresses", "who_takes_part", "first_and_last_messages")
    exclude = ("last_sequence_number", "awaits_start", "has_completed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        conversations: QuerySet[Conversation] = super().get_queryset(request)
        return conversations.defer(*WIDE) if _is_list(request) else conversations

    @admin.display(description="name")
    def title(self, conversation: Conversation) -> str:
        return short(conversation.name or conversation.public_id)

    @admin.display(description="cost")
    def cost(self, conversation: Conversation) -> str:
        return f"{conversation.total_cost.normalize():f}"

    @admin.display(description="to be seen at")
    def addresses(self, conversation: Conversation) -> str:
        return format_html(
            '<a href="{}?project={}">live page of {}</a> · <a href="/api/conversations/{}">API</a>'
            ' · <a href="{}?conversation__id__exact={}">all messages</a>',
            reverse("dashboard"),
            conversation.project.slug,
            conversation.project.slug,
            quote(conversation.public_id, safe=""),
            reverse("admin:conversations_message_changelist"),
            conversation.pk,
        )

    @admin.display(description="participants")
    def who_takes_part(self, conversation: Conversation) -> str:
        shown = list(conversation.participants.order_by("position")[: MOST_PARTICIPANTS + 1])
        return render_to_string(
            "admin/conversations/participants.html",
            {"participants": shown[:MOST_PARTICIPANTS], "more": shown[MOST_PARTICIPANTS:]},
        )

    @admin.display(description="messages")
    def first_and_last_messages(self, conversation: Conversation) -> str:
        """However many there are, no more than these are read."""
        inner = conversation.messages.annotate(said=Left("content", PREVIEW_LENGTH))
        inner = inner.only(
            "conversation", "public_id", "agent_name", "agent_type", "role", "timestamp"
        )
        first = list(inner.order_by(*IN_ORDER)[:FIRST_AND_LAST])
        known = {message.pk for message in first}
        last = list(inner.order_by(*[f"-{name}" for name in IN_ORDER])[:FIRST_AND_LAST])
        return render_to_string(
            "admin/conversations/messages.html",
            {
                "first": first,
                "last": [message for message in reversed(last) if message.pk not in known],
                "between": conversation.total_messages - 2 * FIRST_AND_LAST,
                "conversation": conversation,
            },
        )

    @admin.action(description="Export the selected conversations (zip)", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> HttpResponseBase:
        return download(
            Request(request),
            archive(
                Conversation.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
            ),
            name=f"conversations-{timezone.now():%Y%m%d-%H%M%S}.zip",
            content_type="application/zip",
        )

    # Deletion goes through the service, which counts, tells followers, and clears the log.

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("conversations.delete_conversation")

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What the page before says. Django's own would read every row that is to go."""
        keys = [conversation.pk for conversation in objs]
        sums = Conversation.objects.filter(pk__in=keys).aggregate(held=Sum("total_messages"))
        names = [f"Conversation: {short(str(conversation))}" for conversation in objs]
        return names, {"conversations": len(keys), "messages": sums["held"] or 0}, set(), []

    def delete_model(self, request: HttpRequest, obj: Conversation) -> None:
        self._say(request, delete_conversation(obj))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
        gone: dict[str, int] = {}
        for conversation in queryset.order_by("public_id"):
            for name, count in delete_conversation(conversation).items():
                gone[name] = gone.get(name, 0) + count
        self._say(request, gone)

    def _say(self, request: HttpRequest, gone: dict[str, int]) -> None:
        rows = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in gone.items())
        self.message_user(request, f"Rows deleted: {rows}.", messages.INFO)


@admin.register(Message)
class MessageAdmin(ReadOnly):
    list_display = ("timestamp", "where", "agent_name", "role", "said", "total_tokens", "cost")
    list_filter = ("project", recent("role"), recent("agent_type"))
    list_select_related = ("conversation",)
    search_fields = ("public_id__exact",)
    search_help_text = "The id of a message"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        rows: QuerySet[Message] = super().get_queryset(request)
        if not _is_list(request):
            return rows.select_related("project", "conversation")
        rows = rows.annotate(preview=Left("content", NAME_LENGTH))
        return rows.only(
            *(name for name in self.list_display if name not in {"where", "said"}),
            "conversation__name",
            "conversation__public_id",
        )

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Within a conversation as they follow each other."""
        return IN_ORDER if "conversation__id__exact" in request.GET else ("-pk",)

    @admin.display(description="conversation")
    def where(self, message: Message) -> str:
        address = reverse("admin:conversations_conversation_change", args=[message.conversation_id])
        return format_html('<a href="{}">{}</a>', address, short(str(message.conversation)))

    @admin.display(description="content")
    def said(self, message: Any) -> str:
        preview: str = message.preview
        return preview


def _is_list(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and str(match.url_name).endswith("_changelist")
