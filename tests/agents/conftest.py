"""Runs of agents are carried out by a real worker, in the loop of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from agentpipe import server
from tests.agents.chatting import Chatting
from tests.clients import Api


@pytest.fixture
async def worker(api: Api) -> AsyncIterator[asyncio.Task[None]]:
    working = asyncio.create_task(server.keep_working())
    yield working
    await stopped(working)


async def stopped(working: asyncio.Task[None]) -> None:
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


@pytest.fixture
def chatting(api: Api, key: str) -> Chatting:
    return Chatting(api, key)
