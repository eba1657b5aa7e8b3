"""What the database refuses to store ends the run that has to say it, and no other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from django.db import connection

from agents import tasks
from agents.recorder import in_database
from tests.agents.chatting import kinds, said
from tests.agents.test_runs import begin, reached, steps_of
from tests.clients import Api, Json

TEXT = [f"piece {number} " for number in range(20)]
HEALTHY: Json = {"say": "".join(TEXT), "pieces": 20, "every_ms": 10}
POISONED: list[Json] = [
    {"say": "As far as I know, "},
    {"wait_ms": 200},
    {"say": "poison"},
    {"wait_ms": 60_000},
]


@asynccontextmanager
async def refusing(table: str, what: str, *, code: str = "P0001") -> AsyncIterator[None]:
    def execute(statements: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statements)

    await in_database(
        execute,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'not this' USING ERRCODE = '{code}'; END $$;"
        f" CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table}"
        f" FOR EACH ROW WHEN ({what}) EXECUTE FUNCTION refuse()",
    )
    try:
        yield
    finally:
        await in_database(execute, "DROP FUNCTION refuse CASCADE")


# Of its content, and of what PostgreSQL has no room for: to psycopg the database might be away.
@pytest.mark.parametrize("code", ["P0001", "54000"])
@pytest.mark.usefixtures("worker")
async def test_a_step_that_is_refused_ends_its_run_and_harms_no_other(api: Api, code: str) -> None:
    async with refusing("streaming_eventbody", "NEW.payload LIKE '%poison%'", code=code):
        poisoned = await begin(api, *POISONED)
        others = [await begin(api, HEALTHY) for _ in range(5)]
        failed = await reached(api, poisoned, "failed")
        done = [await reached(api, other, "completed") for other in others]
        told = await steps_of(api, poisoned)

    assert failed["error"] == tasks.REFUSED
    assert failed["attempts"] == 1
    assert failed["output"] == said(told) == "As far as I know, "
    assert kinds(told) == ["start", "content", "error", "end"]
    assert {run["output"] for run in done} == {"".join(TEXT)}
    assert {run["attempts"] for run in done} == {1}


@pytest.mark.usefixtures("worker")
async def test_an_end_that_is_refused_is_told_as_a_failure(api: Api) -> None:
    async with refusing("agents_agentrun", "NEW.status = 'completed'"):
        failed = await reached(api, run := await begin(api, {"say": "That is all."}), "failed")
        told = await steps_of(api, run)

    assert (failed["error"], failed["attempts"]) == (tasks.REFUSED, 1)
    assert kinds(told)[-2:] == ["error", "end"]
