"""A server that answers what it is told to, and remembers byte for byte what it was asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

DEADLINE_S = 10


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


Script = list[Says | HangsUp]


class Scripted(ThreadingHTTPServer):
    """Says one thing after the other, and the last one for ever."""

    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.script = script
        self.asked: list[Asked] = []
        self.changed = Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_for(self, asked: Asked) -> Says | HangsUp:
        with self.changed:
            self.asked.append(asked)
            self.changed.notify_all()
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def await_asked(self, times: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= times, DEADLINE_S), self.asked


class Answering(BaseHTTPRequestHandler):
    server: Scripted
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = self.server.next_for(Asked(self.command, self.path, dict(self.headers), body))
        if isinstance(said, HangsUp):
            self.close_connection = True
            return
        content = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        self.send_response(said.status)
        for name, value in {"Content-Length": str(len(content)), **said.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def scripted(*script: Says | HangsUp) -> Iterator[Scripted]:
    server = Scripted(list(script))
    thread = Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
