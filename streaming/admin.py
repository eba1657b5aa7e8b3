"""Look at the log, never touch it; and how tables of any size are looked at, in every room."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property

from streaming import keys
from streaming.models import EventBody, Topic

COUNTED = 100_000
LOOKED_AT = 10_000


class Estimate(Paginator[Any]):
    """Counts as far as counting is quick; of a larger whole table, PostgreSQL has an idea."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        assert isinstance(rows, QuerySet)
        counted: int = rows.order_by()[: COUNTED + 1].count()
        if counted > COUNTED and not rows.query.where:
            return max(counted, _estimated_rows(rows.model))
        return counted


def _estimated_rows(model: type[Model]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class"
            " LEFT JOIN pg_inherits ON inhrelid = oid"
            " WHERE %s::regclass IN (oid, inhparent)",
            [model._meta.db_table],
        )
        found: int = cursor.fetchone()[0]
    return found


class RecentValues(admin.SimpleListFilter):
    """Filter by the values of the newest rows: to find all there are, all would have to be read."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        newest = model_admin.model._default_manager.order_by("-pk")[:LOOKED_AT]
        found = set(newest.values_list(self.parameter_name, flat=True))
        return [(value, value[:60]) for value in sorted(found) if value]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        assert self.parameter_name is not None
        return queryset.filter(**{self.parameter_name: wanted}) if wanted else queryset


def recent(name: str) -> type[RecentValues]:
    """A filter by the values of this field."""
    return type(
        "Recent", (RecentValues,), {"title": name.replace("_", " "), "parameter_name": name}
    )


class ReadOnly(admin.ModelAdmin[Any]):
    """Rows that are looked at here, not written."""

    paginator = Estimate
    show_full_result_count = False
    # There is an index for the order that is given, and for no other.
    sortable_by = ()
    ordering = ("-pk",)

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
    search_fields = ("name__startswith",)
    search_help_text = "How the name begins, such as conversation:42"


class RecordedWithin(admin.SimpleListFilter):
    """By their keys, which rise with time and have an index."""

    title = "recorded"
    parameter_name = "hours"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("1", "in the last hour"), ("24", "in the last day"), ("168", "in the last week")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if wanted not in {"1", "24", "168"}:
            return queryset
        since = timezone.now() - timedelta(hours=int(wanted))
        return queryset.filter(pk__gte=keys.first_key(since))


@admin.register(EventBody)
class EventBodyAdmin(ReadOnly):
    list_display = ("recorded_at", "kind", "subject", "told_to")
    list_filter = (recent("kind"), RecordedWithin)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("entry_set__topic")

    @admin.display(description="topics")
    def told_to(self, body: EventBody) -> str:
        return ", ".join(f"{entry.topic.name} #{entry.seq}" for entry in body.entry_set.all())
