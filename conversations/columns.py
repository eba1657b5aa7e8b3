"""Rows of plain statements as Django's objects: a query set takes longer to begin than to ask."""

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class Columns(Generic[M]):
    """All columns of a model; as text, what a SELECT names for them."""

    def __init__(self, model: type[M]) -> None:
        self.model = model

    def __str__(self) -> str:
        table = self.model._meta.db_table
        return ", ".join(f'{table}."{field.column}"' for field in self.model._meta.concrete_fields)

    def __len__(self) -> int:
        return len(self._names)

    def object_of(self, row: Sequence[Any]) -> M:
        """What is in a row that holds these columns and nothing else."""
        values = list(row)
        for place in self._json:
            # It comes as text.
            values[place] = None if values[place] is None else json.loads(values[place])
        return self.model.from_db("default", self._names, values)

    @cached_property
    def _names(self) -> list[str]:
        return [field.attname for field in self.model._meta.concrete_fields]

    @cached_property
    def _json(self) -> list[int]:
        return [
            place
            for place, field in enumerate(self.model._meta.concrete_fields)
            if isinstance(field, models.JSONField)
        ]
