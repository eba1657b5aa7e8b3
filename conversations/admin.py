"""The record for those who run the server."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from conversations.access import check_rates
from conversations.models import (
    ApiKey,
    Conversation,
    Membership,
    Message,
    Participant,
    Project,
    RawEvent,
    Scope,
)
from conversations.services import make_key


class MembershipInline(admin.TabularInline[Membership, Project]):
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin[Project]):
    list_display = ("slug", "name", "created_at")
    search_fields = ("slug", "name")
    inlines = (MembershipInline,)


class ApiKeyForm(forms.ModelForm[ApiKey]):
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=forms.CheckboxSelectMultiple, initial=list(Scope.values)
    )

    class Meta:
        model = ApiKey
        fields = ("project", "name", "scopes", "rates")

    def clean_rates(self) -> dict[str, str]:
        try:
            return check_rates(self.cleaned_data["rates"] or {})
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    """A key is shown once, on the page after it was made; then only its first letters are known."""

    form = ApiKeyForm
    list_display = ("name", "hint", "project", "scopes", "created_at", "last_used_at", "revoked_at")
    list_filter = ("project", "revoked_at")
    list_select_related = ("project",)
    search_fields = ("name", "hint")
    readonly_fields = ("hint", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm[ApiKey], change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made, secret = make_key(obj.project, obj.name, scopes=obj.scopes, rates=obj.rates)
        obj.pk = made.pk
        self.message_user(
            request, f"The key is {secret} — copy it now, it is not shown again.", messages.WARNING
        )

    @admin.action(description="Revoke the selected keys")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, f"{count} revoked.")


class ParticipantInline(admin.TabularInline[Participant, Conversation]):
    model = Participant
    extra = 0
    can_delete = False
    fields = readonly_fields = ("agent_id", "agent_type", "agent_name", "model")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Recorded(admin.ModelAdmin[Any]):
    """What was recorded is looked at here, not written."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # It would leave totals wrong and tell no follower.
        return False


@admin.register(Conversation)
class ConversationAdmin(Recorded):
    list_display = ("name", "project", "status", "mode", "total_messages", "started_at")
    list_filter = ("status", "kind", "source", "project")
    list_select_related = ("project",)
    search_fields = ("name", "public_id")
    date_hierarchy = "started_at"
    ordering = ("-started_at",)
    inlines = (ParticipantInline,)


@admin.register(Message)
class MessageAdmin(Recorded):
    list_display = ("timestamp", "conversation", "agent_name", "role", "total_tokens", "cost")
    list_filter = ("role", "project")
    list_select_related = ("conversation",)
    search_fields = ("public_id", "agent_name")
    ordering = ("-id",)


@admin.register(RawEvent)
class RawEventAdmin(Recorded):
    list_display = ("received_at", "kind", "project", "conversation")
    list_filter = ("kind", "project")
    list_select_related = ("project", "conversation")
    ordering = ("-id",)
