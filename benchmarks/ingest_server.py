"""Starlette with a pool of psycopg, behind the doors of ingest: its argument is the port."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.routing import Route

from benchmarks.clients import HOST
from benchmarks.ingest_batches import ingest_batch
from benchmarks.ingest_floor import ingest

CONNECTIONS = 20


@asynccontextmanager
async def _pooled(app: Starlette) -> AsyncIterator[None]:
    async with AsyncConnectionPool(
        os.environ["CONNINFO"], min_size=CONNECTIONS, max_size=CONNECTIONS
    ) as pool:
        app.state.pool = pool
        yield


app = Starlette(
    routes=[
        Route("/api/ingest", ingest, methods=["POST"]),
        Route("/api/ingest/batch", ingest_batch, methods=["POST"]),
    ],
    lifespan=_pooled,
)

if __name__ == "__main__":
    uvicorn.run(app, host=HOST, port=int(sys.argv[1]), log_level="error", loop="uvloop")
