"""Keys: made, shown once, revoked."""

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from conversations.access import check_rates
from conversations.models import ApiKey, Scope
from conversations.services import make_key


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
    list_filter = ("project", ("revoked_at", admin.EmptyFieldListFilter))
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

    @admin.action(description="Revoke the selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, f"{count} revoked.")
