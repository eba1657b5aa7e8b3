"""A server that answers what it is told to, and remembers byte for byte what it was asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

import httpx

DEADLINE_S = 150


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Says:
    status: int = 200
    body: object = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class HangsUp:
    """Closes the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class PassesOn:
    """Asks another server; its answer may be lost on the way back."""

    url: str
    loses_answer: bool = False


Step = Says | HangsUp | PassesOn


class Scripted(ThreadingHTTPServer):
    """Says one thing after the other, and the last one for ever."""

    daemon_threads = True

    def __init__(self, script: list[Step]) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.script = script
        self.asked: list[Asked] = []
        self.passed_on = 0
        self.changed = Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_for(self, asked: Asked) -> Step:
        with self.changed:
            self.asked.append(asked)
            self.changed.notify_all()
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def await_asked(self, times: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= times, DEADLINE_S)

    def pass_on(self, asked: Asked, url: str) -> Says:
        wanted = {"Authorization", "Content-Type", "Idempotency-Key"}
        headers = {name: asked.headers[name] for name in wanted & asked.headers.keys()}
        answer = httpx.request(asked.method, url + asked.path, content=asked.body, headers=headers)
        with self.changed:
            self.passed_on += 1
            self.changed.notify_all()
        return Says(answer.status_code, answer.content)

    def await_passed_on(self, times: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.passed_on >= times, DEADLINE_S)


class Answering(BaseHTTPRequestHandler):
    server: Scripted
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked(self.command, self.path, dict(self.headers), body)
        said = self.server.next_for(asked)
        if isinstance(said, PassesOn):
            answer = self.server.pass_on(asked, said.url)
            said = answer if not said.loses_answer else self.hold()
        if isinstance(said, HangsUp):
            self.close_connection = True
            return
        content = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        self.send_response(said.status)
        for name, value in {"Content-Length": str(len(content)), **said.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def hold(self) -> HangsUp:
        """Say nothing until the client has gone."""
        self.connection.recv(1)
        return HangsUp()

    do_GET = do_POST = answer

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def scripted(*script: Step) -> Iterator[Scripted]:
    server = Scripted(list(script))
    thread = Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
