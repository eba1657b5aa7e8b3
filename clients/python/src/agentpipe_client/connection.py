"""Requests sent, files fetched and streams followed, by programs that wait."""

import time
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import httpx
from websockets.sync.client import connect

from agentpipe_client.calls import Call
from agentpipe_client.downloads import arriving
from agentpipe_client.files import FileBody
from agentpipe_client.following import BROKEN_SOCKET, SOCKET_OPTIONS, Event, OnInterruption, Place
from agentpipe_client.rates import Rate
from agentpipe_client.retries import BROKEN, Attempts, OnRetry, Outcome, Patience, error_of
from agentpipe_client.server import Server
from agentpipe_client.timing import TIMEOUT, UPLOAD_TIMEOUT

T = TypeVar("T")


class Connection:
    """To one server; requests share a pool."""

    def __init__(self, server: Server, patience: Patience, on_retry: OnRetry | None) -> None:
        self.server = server
        self.patience = patience
        self.on_retry = on_retry
        self.rate: Rate | None = None
        self._http = httpx.Client(base_url=server.url, headers=server.headers, timeout=TIMEOUT)

    def close(self) -> None:
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """What the answer reads as, after as many attempts as it takes, each of the same bytes."""
        attempts = Attempts(self.patience)
        while True:
            outcome = self._attempt(call)
            if isinstance(outcome, httpx.Response) and outcome.is_success:
                return call.read(outcome.json())
            self._pause(attempts, outcome)

    def download(self, call: Call[None], to: Path) -> None:
        """Fetch into a file, from its beginning where the connection breaks."""
        attempts = Attempts(self.patience)
        while True:
            outcome = self._attempt_download(call, to)
            if isinstance(outcome, httpx.Response) and outcome.is_success:
                return
            self._pause(attempts, outcome)

    def follow(
        self, path: str, since: str | None, on_interruption: OnInterruption | None
    ) -> Generator[Event, None, None]:
        place = Place(since)
        while True:
            place.opening()
            try:
                with connect(
                    self.server.socket_url(path, place.query),
                    additional_headers=self.server.headers,
                    **SOCKET_OPTIONS,
                ) as socket:
                    while True:
                        event = place.take(socket.recv())
                        if event:
                            yield event
            except BROKEN_SOCKET as error:
                interruption = place.interrupted(error)
            if on_interruption:
                on_interruption(interruption)
            time.sleep(interruption.pause_s)

    def _attempt(self, call: Call[T]) -> Outcome:
        body = call.content
        try:
            response = self._http.request(
                call.method,
                call.path,
                params=call.query,
                headers=call.headers,
                content=body.chunks() if isinstance(body, FileBody) else body,
                timeout=UPLOAD_TIMEOUT if isinstance(body, FileBody) else TIMEOUT,
            )
        except BROKEN as error:
            return error
        self.rate = Rate.of(response)
        return response

    def _attempt_download(self, call: Call[None], to: Path) -> Outcome:
        try:
            with self._http.stream(call.method, call.path, params=call.query) as response:
                if not response.is_success:
                    response.read()
                    return response
                with arriving(to) as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
                return response
        except BROKEN as error:
            return error

    def _pause(self, attempts: Attempts, outcome: Outcome) -> None:
        """Wait for the next attempt. Raises what stood in the way where there is none."""
        pause_s = attempts.pause_after(outcome)
        error = error_of(outcome)
        if pause_s is None:
            raise error
        if self.on_retry:
            self.on_retry(error, pause_s)
        time.sleep(pause_s)
