"""Long reads where there is a replica of the database, and where it is away."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections
from django.db.backends.base.base import NO_DB_ALIAS

from conversations import metrics, search
from conversations.models import Project
from tests.conversations.searched import record_many

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def replica() -> Iterator[dict[str, Any]]:
    """Its settings: the same database, through a door by which nobody can write."""
    chosen = {
        **connection.settings_dict,
        "OPTIONS": {"options": "-c default_transaction_read_only=on", "connect_timeout": 2},
    }
    connections.databases["replica"] = chosen
    # Django's tests let nobody near a database that the settings did not name at the start.
    connections["replica"].alias = NO_DB_ALIAS
    yield chosen
    connections["replica"].close()
    del connections["replica"]
    del connections.databases["replica"]


def test_searches_and_figures_are_read_there(project: Project, replica: dict[str, Any]) -> None:
    record_many(project, 3)
    asked: list[str] = []

    def listen(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    with connections["replica"].execute_wrapper(listen):
        found = search.find(project, "tigers", limit=10)
        summary = metrics.summary(project, reach="all", now=datetime.now(UTC))

    assert len(found) == 3
    assert (summary.totals.messages, summary.active_now) == (3, 1)
    for table in ("searchdocument", "conversations_total", "conversations_conversation"):
        assert any(table in sql for sql in asked), table


def test_where_it_is_away_the_database_itself_answers(
    project: Project, replica: dict[str, Any]
) -> None:
    record_many(project, 3)
    replica["HOST"] = "/nowhere"

    assert len(search.find(project, "tigers", limit=10)) == 3
    assert metrics.summary(project, reach="all", now=datetime.now(UTC)).totals.messages == 3
