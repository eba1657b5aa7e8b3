"""The floor of plain requests: `python -m benchmarks.requests_floor PORT PATH…`.

Starlette with a pool of psycopg, which for each path runs the very statements that Django runs for
it, and answers with the rows. It checks the key by comparing it.
"""

import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import django
import uvicorn
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.clients import HOST

HEADERS = {"Authorization": f"Bearer {os.environ['AGENTPIPE_BRIDGE_API_KEY']}"}
CONNECTIONS = 4


def main() -> None:
    django.setup()
    from django.db import connection

    statements = {path.partition("?")[0]: asked_by_django(path) for path in sys.argv[2:]}
    options = connection.get_connection_params()
    conninfo = " ".join(
        f"{name}={options[name]}" for name in ("dbname", "host", "port", "user") if options[name]
    )
    connection.close()

    @asynccontextmanager
    async def pooled(app: Starlette) -> AsyncIterator[None]:
        async with AsyncConnectionPool(conninfo, min_size=CONNECTIONS) as app.state.pool:
            yield

    routes = [Route(path, answering(statements[path])) for path in statements]
    app = Starlette(routes=routes, lifespan=pooled)
    uvicorn.run(app, host=HOST, port=int(sys.argv[1]), log_level="error", loop="uvloop")


def asked_by_django(path: str) -> list[str]:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as asked:
        answer = Client(headers=HEADERS).get(path)
    assert answer.status_code == 200, answer.content
    return [query["sql"] for query in asked.captured_queries]


def answering(statements: Sequence[str]) -> Any:
    async def answer(request: Request) -> Response:
        if request.headers.get("authorization") != HEADERS["Authorization"]:
            return JSONResponse({"error": "Invalid API key"}, status_code=401)
        found = []
        if statements:
            async with request.app.state.pool.connection() as connection:
                for statement in statements:
                    cursor = await connection.execute(statement.encode())
                    found.append(await cursor.fetchall() if cursor.description else None)
        return Response(json.dumps(found, default=str), media_type="application/json")

    return answer


if __name__ == "__main__":
    main()
