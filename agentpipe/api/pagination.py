"""The envelopes of lists: numbered pages, or what comes before or after an item."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

if TYPE_CHECKING:
    from rest_framework.views import APIView

PAGE_SIZE = 20
LARGEST_PAGE = 100


class Pages(BasePagination):
    """`page` and `page_size`, with the totals that numbered pages need."""

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: "APIView | None" = None
    ) -> list[Any]:
        self.page = whole(request, "page", 1)
        self.page_size = self.page_size_of(request)
        self.total = queryset.count()
        first = (self.page - 1) * self.page_size
        return list(queryset[first : first + self.page_size]) if first < self.total else []

    def page_size_of(self, request: Request) -> int:
        return min(whole(request, "page_size", PAGE_SIZE), LARGEST_PAGE)

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        total_pages = math.ceil(self.total / self.page_size)
        return Response(
            {
                "items": data,
                "total": self.total,
                "page": self.page,
                "page_size": self.page_size,
                "total_pages": total_pages,
                "has_more": self.page < total_pages,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        number = {"type": "integer"}
        return {
            "type": "object",
            "properties": {
                "items": schema,
                "total": number,
                "page": number,
                "page_size": number,
                "total_pages": number,
                "has_more": {"type": "boolean"},
            },
        }


def whole(request: Request, name: str, default: int) -> int:
    """A number from 1 up in the query."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not given.isascii() or not given.isdigit() or len(given) > 18 or not int(given):
        raise ValidationError({name: "Expected a whole number from 1 up"})
    return int(given)
