"""Lists: by numbered pages, or by what follows an item or comes before it.

A cursor costs the same anywhere in a list, and what is added meanwhile moves nothing.
"""

from collections.abc import Sequence
from typing import Any

from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from conversations.search import FoundConversations

PAGING = [
    OpenApiParameter("page", int, description="From 1 up"),
    OpenApiParameter("page_size", int, description="At most 100; 20 unless told"),
]
CURSORS = [
    OpenApiParameter("after", str, description="What follows this id; empty for the beginning"),
    OpenApiParameter("before", str, description="What comes before this id; empty for the end"),
]
OF_PAGES = "Of numbered pages only"
UNKNOWN = "There is no such item in this list"


def list_of(item: type[serializers.Serializer[Any]]) -> Any:
    """How documents describe a list of these."""
    number = {
        name: serializers.IntegerField(required=False, help_text=OF_PAGES)
        for name in ("total", "page", "page_size", "total_pages")
    }
    return inline_serializer(
        f"{item.__name__.removesuffix('Serializer')}List",
        {"items": item(many=True), **number, "has_more": serializers.BooleanField()},
    )


def numbered(view: APIView, rows: QuerySet[Any] | FoundConversations, serializer: Any) -> Response:
    pages = _pages()
    items = pages.paginate_queryset(rows, view.request, view=view)
    answer: Response = pages.get_paginated_response(serializer(items, many=True).data)
    return answer


def page_of(request: Request, rows: FoundConversations) -> tuple[list[Any], int, int | None]:
    """The rows of a numbered page, how many there are in all, and the next page if there is one."""
    pages = _pages()
    items = pages.paginate_queryset(rows, request)
    has_more = pages.page * pages.page_size < pages.total
    return items, pages.total, pages.page + 1 if has_more else None


def cursor_of(request: Request) -> tuple[str, str] | None:
    """`after` or `before`, and the id; None where the list is asked for by pages."""
    given = [
        (name, request.query_params[name])
        for name in ("after", "before")
        if name in request.query_params
    ]
    if len(given) > 1:
        raise ValidationError({"before": "Either before or after, not both"})
    return given[0] if given else None


def beside(
    request: Request,
    rows: QuerySet[Any],
    serializer: Any,
    *,
    cursor: tuple[str, str],
    order: Sequence[str],
    known: QuerySet[Any],
) -> Response:
    """The rows next to the item of a cursor, in order; the item is one of those known."""
    size = page_size_of(request)
    items, has_more = stretch(rows, cursor=cursor, size=size, order=order, known=known)
    return answer(items, has_more, serializer)


def answer(items: Sequence[Any], has_more: bool, serializer: Any) -> Response:
    return Response({"items": serializer(items, many=True).data, "has_more": has_more})


def stretch(
    rows: QuerySet[Any],
    *,
    cursor: tuple[str, str],
    size: int,
    order: Sequence[str],
    known: QuerySet[Any],
) -> tuple[list[Any], bool]:
    """So many rows next to the item of a cursor, and whether there are more that way.

    All of the order goes in one direction, so that one comparison of rows, which an index
    answers, tells what comes later.
    """
    name, public_id = cursor
    is_backwards = name == "before"
    if public_id:
        rows = rows.filter(_beyond(known, name, public_id, order))
    towards = [_reversed(field) for field in order] if is_backwards else order
    found = list(rows.order_by(*towards)[: size + 1])
    return found[:size][::-1] if is_backwards else found[:size], len(found) > size


def page_size_of(request: Request) -> int:
    size: int = _pages().page_size_of(request)
    return size


def _pages() -> Any:
    pagination: Any = api_settings.DEFAULT_PAGINATION_CLASS
    return pagination()


def _beyond(known: QuerySet[Any], name: str, public_id: str, order: Sequence[str]) -> RawSQL:
    columns = [field.removeprefix("-") for field in order]
    # No id has U+0000, and PostgreSQL takes no text with it.
    named = known.filter(public_id=public_id) if "\0" not in public_id else known.none()
    place = named.values_list(*columns).first()
    if place is None:
        raise ValidationError({name: UNKNOWN})
    table = known.model._meta.db_table
    is_descending = order[0].startswith("-")
    return RawSQL(  # noqa: S611 - the names and the sign are ours
        f"({', '.join(f'{table}.{column}' for column in columns)})"
        f" {'<' if is_descending == (name == 'after') else '>'}"
        f" ({', '.join('%s' for _ in columns)})",
        place,
        output_field=BooleanField(),
    )


def _reversed(field: str) -> str:
    return field[1:] if field.startswith("-") else f"-{field}"
