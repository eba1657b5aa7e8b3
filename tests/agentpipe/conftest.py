import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.clients import Api, Socket, sse

DIFFICULT = 'it\'s a "folder", ü'


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder with a difficult name; unlike tmp_path, other users may pass through it."""
    outer = Path(tempfile.mkdtemp(prefix="agentpipe-"))
    outer.chmod(0o711)
    inner = outer / DIFFICULT
    inner.mkdir()
    yield inner
    shutil.rmtree(outer)


@pytest.fixture
def as_root() -> None:
    if os.getuid() != 0:
        pytest.skip("only root has to give its rights up")


@pytest.fixture
async def conversation(api: Api, key: str) -> AsyncIterator[str]:
    """A conversation that is still recorded and streamed after everything."""
    conversation = await api.start()
    await api.say(conversation, "Before")
    yield conversation
    async with (
        sse("/api/realtime/stream", key=key, conversationId=conversation) as stream,
        Socket(f"/api/stream/conversations/{conversation}", key=key) as socket,
    ):
        assert [(await each.frame())["type"] for each in (stream, socket)] == ["connected"] * 2
        await api.say(conversation, "After")
        for each in (stream, socket):
            assert (await each.frame())["data"]["message"]["content"] == "After"
    assert {message["content"] for message in await api.messages(conversation)} >= {
        "Before",
        "After",
    }
