"""Statements that go to the database together: there and back takes as long as most of them do."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

# And its values, in order or by name.
Statement = tuple[str, Sequence[Any] | Mapping[str, Any]]


def run(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """What each of them finds, one after the other as if each were sent by itself."""
    if not statements:
        return []
    found = []
    cursor: Any
    with connection.cursor() as cursor:
        # Values are put into the text here, as Django has psycopg do with any statement.
        cursor.execute(";".join(cursor.mogrify(text, values) for text, values in statements))
        for place in range(len(statements)):
            if place:
                cursor.nextset()
            found.append(cursor.fetchall() if cursor.description else [])
    return found
