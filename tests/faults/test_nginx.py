"""The nginx that we ship settings for, in front of a server and of one that is away."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.clients import said, started
from tests.prepared import ROOT
from tests.servers import KEY, Server, wait_for
from tests.services import free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
SHIPPED = ROOT / "deploy" / "nginx.conf"
HEADERS = {"Authorization": f"Bearer {KEY}"}
CONVERSATION = "6d1a2f0e-3c57-4be5-9c55-6e1c4f2f7a10"
WITHIN_S = 120

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(600),
    pytest.mark.skipif(NGINX is None, reason="there is no nginx: install it"),
]


class Proxy:
    def __init__(self, folder: Path, *servers: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        site = SHIPPED.read_text().replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        for number, port in enumerate(servers, start=1):
            # Names are for containers, and older versions do not ask where they are by now.
            assert f"server web-{number}:8000 resolve " in site
            site = site.replace(f"web-{number}:8000 resolve", f"127.0.0.1:{port}")
        site = "".join(line for line in site.splitlines(True) if "resolver " not in line)
        kept = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in kept)
        (folder / "nginx.conf").write_text(
            f"user root; daemon off; pid {folder}/pid; events {{ worker_connections 64; }}\n"
            f"http {{ access_log off;\n{temporary}{site} }}\n"
        )

    def start(self) -> None:
        assert NGINX
        errors = self.folder / "errors"
        command = [NGINX, "-c", str(self.folder / "nginx.conf"), "-e", str(errors)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.process.poll() is not None or self.status("/healthz") is not None)
        assert self.process.poll() is None, errors.read_text()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(WITHIN_S)

    def status(self, path: str) -> int | None:
        try:
            return httpx.get(f"{self.url}{path}", timeout=WITHIN_S).status_code
        except httpx.TransportError:
            return None


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(is_local=True)
    server.start()
    server.ingest("conversation.started", **started(CONVERSATION))
    yield server
    server.discard()


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    proxy = Proxy(tmp_path_factory.mktemp("nginx"), server.port, free_port())
    proxy.start()
    yield proxy
    proxy.stop()


async def test_streams_come_as_they_are_told(proxy: Proxy, server: Server) -> None:
    stream = f"{proxy.url}/api/realtime/stream?conversationId={CONVERSATION}"
    socket = f"ws://127.0.0.1:{proxy.port}/api/stream/conversations/{CONVERSATION}"
    async with (
        connect(socket, additional_headers=HEADERS) as frames,
        httpx.AsyncClient(headers=HEADERS, timeout=WITHIN_S) as client,
        client.stream("GET", stream) as events,
    ):
        lines = events.aiter_lines()
        # Both follow by now.
        await anext(lines)
        await frames.recv()
        await client.post(
            f"{proxy.url}/api/ingest",
            json={"type": "message.created", "data": said(CONVERSATION, "Hello")},
        )
        async with asyncio.timeout(WITHIN_S):
            assert await is_heard("Hello", frames)
            assert await is_heard("Hello", lines)


async def is_heard(word: str, told: AsyncIterable[str | bytes]) -> bool:
    async for line in told:
        if word in str(line):
            return True
    return False


def test_large_bodies_are_left_to_the_server(proxy: Proxy) -> None:
    long = [{"type": "message.created", "data": said(CONVERSATION, "x" * 50_000)}] * 40
    answer = httpx.post(
        f"{proxy.url}/api/ingest/batch", json=long, headers=HEADERS, timeout=WITHIN_S
    )
    assert answer.status_code in {200, 201}, answer.text


def test_whoever_comes_through_it_is_no_local_caller(proxy: Proxy, server: Server) -> None:
    assert httpx.get(f"{server.url}/api/conversations", timeout=WITHIN_S).status_code == 200
    assert proxy.status("/api/conversations") == 401


def test_the_next_is_asked_where_one_is_away_and_callers_are_told_of_none(
    proxy: Proxy, server: Server
) -> None:
    assert {proxy.status("/readyz") for _ in range(10)} == {200}

    server.kill()
    try:
        answer = httpx.get(f"{proxy.url}/readyz", timeout=WITHIN_S)
        assert (answer.status_code, answer.json()) == (503, {"error": "No server is there"})
        assert answer.headers["retry-after"] == "1"
    finally:
        server.start()
    wait_for(lambda: proxy.status("/readyz") == 200)
