"""Statements that go to the database together: there and back takes as long as most of them do."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

# And its values.
Statement = tuple[str, Sequence[Any]]


def run(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """What each of them finds, one after the other as if each were sent by itself.

    It takes that psycopg puts the values into the text, as Django has it do.
    """
    if not statements:
        return []
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            ";".join(text for text, _ in statements),
            [value for _, values in statements for value in values],
        )
        for place in range(len(statements)):
            if place:
                cursor.nextset()
            found.append(cursor.fetchall() if cursor.description else [])
    return found
