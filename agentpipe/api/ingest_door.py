"""The short way in for single events: what is plainly fine needs no Django request around it.

Requests wait in line while the ones before them are written, and are then written together: the
busier it is, the more of them share a transaction. Whatever is out of the ordinary goes the long
way instead, to the view of the same address, which has an answer to everything.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextvars import Context
from dataclasses import dataclass
from functools import cache
from typing import Any

import structlog
from channels.db import database_sync_to_async
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from prometheus_client import Gauge

from agentpipe.api.authentication import Refused, Visit, caller_by_key
from agentpipe.api.body import Application
from agentpipe.api.throttling import Rate, rate_of
from conversations.access import Caller
from conversations.ingest.dispatch import is_snake
from conversations.ingest.reading import InvalidJSON, read_json
from conversations.ingest.receive import receive
from conversations.models import Scope
from streaming import tracing

PATH = "/api/ingest"
MOST_WAITING = 2_000
# While one transaction is on its way to the disk, the next is made ready.
MOST_WRITING = 2
# What is written together: so many events, and about so many bytes.
MOST_TOGETHER = 256
MOST_BYTES_TOGETHER = 8 * 1024 * 1024
BUSY = {"error": "Too many events are waiting to be written, try again"}
RETRY_AFTER_S = 1
WAITING = Gauge("agentpipe_ingest_waiting", "Events in line for the transaction after this one.")

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A request whose headers are plain, and its whole body."""

    visit: Visit
    idempotency_key: str | None
    body: bytes
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    body: dict[str, Any]
    headers: dict[str, str]


class IngestDoor:
    def __init__(self, application: Application) -> None:
        self.application = application
        self.line = Line()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = _plain_headers(scope)
        if headers is None:
            await self.application(scope, receive, send)
            return
        heard = await _whole(receive)
        knock = Knock(
            visit=Visit(headers=headers, client=None, method="POST"),
            idempotency_key=headers.get("idempotency-key"),
            body=b"".join(message.get("body", b"") for message in heard),
            trace=tracing.here(),
        )
        reply = await self.line.wait_for(knock)
        if reply is None:
            await self.application(scope, _heard_again(heard, receive), send)
        else:
            await _send(reply, send)


class Line:
    """The requests that wait; tasks that write all of them are there as long as any do."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Knock, asyncio.Future[Reply | None]]] = []
        self.writing: set[asyncio.Task[None]] = set()
        # Asked when the metrics are.
        WAITING.set_function(lambda: len(self.waiting))

    async def wait_for(self, knock: Knock) -> Reply | None:
        """The answer; None where Django is to be asked for it."""
        if len(self.waiting) >= MOST_WAITING:
            return Reply(status=503, body=BUSY, headers={"Retry-After": str(RETRY_AFTER_S)})
        place: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self.waiting.append((knock, place))
        if len(self.writing) < MOST_WRITING:
            # Not in the name of the one who came first.
            writing = asyncio.create_task(self._write(), context=Context())
            self.writing.add(writing)
            writing.add_done_callback(self.writing.discard)
        return await place

    async def _write(self) -> None:
        write = database_sync_to_async(_write, thread_sensitive=False)
        while self.waiting:
            together = self._next()
            replies: Sequence[Reply | None] = [None] * len(together)
            try:
                knocks = [knock for knock, _ in together]
                with tracing.span("write", after=[knock.trace for knock in knocks]):
                    replies = await write(knocks)
            except Exception:
                # Each is tried again by itself: what is wrong with one is not its neighbours'.
                logger.warning("ingest.not_together", requests=len(together), exc_info=True)
            for (_, place), reply in zip(together, replies, strict=True):
                if not place.done():
                    place.set_result(reply)

    def _next(self) -> list[tuple[Knock, asyncio.Future[Reply | None]]]:
        size = count = 0
        for knock, _ in self.waiting[:MOST_TOGETHER]:
            size += len(knock.body)
            if count and size > MOST_BYTES_TOGETHER:
                break
            count += 1
        together, self.waiting = self.waiting[:count], self.waiting[count:]
        return together


def _write(knocks: Sequence[Knock]) -> list[Reply | None]:
    replies: list[Reply | None] = [None] * len(knocks)
    visits = {knock.visit.headers["authorization"]: knock.visit for knock in knocks}
    callers = {key: _caller(visit) for key, visit in visits.items()}
    asked = [
        ask
        for place, knock in enumerate(knocks)
        if (ask := _ask(place, knock, callers[knock.visit.headers["authorization"]]))
    ]
    headers = _spend(asked)
    admitted: dict[int, list[_Ask]] = {}
    for ask in asked:
        if ask.rate in headers:
            admitted.setdefault(ask.caller.project.pk, []).append(ask)
    for asks in admitted.values():
        answers = receive(
            [ask.event for ask in asks],
            project=asks[0].caller.project,
            idempotency_keys=[knocks[ask.place].idempotency_key for ask in asks],
        )
        for ask, answer in zip(asks, answers, strict=True):
            replies[ask.place] = Reply(
                status=answer.status, body=answer.body, headers=headers[ask.rate]
            )
    return replies


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """An event that somebody may write, if the rate allows it."""

    place: int
    event: object
    caller: Caller
    rate: Rate | None


def _caller(visit: Visit) -> Caller | None:
    try:
        caller = caller_by_key(visit)
    except Refused:
        return None
    return caller if Scope.INGEST in caller.scopes else None


def _ask(place: int, knock: Knock, caller: Caller | None) -> _Ask | None:
    if caller is None:
        return None
    try:
        event = read_json(knock.body)
    except InvalidJSON:
        return None
    rate = rate_of("bridge" if is_snake(event) else "ingest", caller)
    return _Ask(place=place, event=event, caller=caller, rate=rate)


def _spend(asks: Sequence[_Ask]) -> dict[Rate | None, dict[str, str]]:
    """The headers of the rates that allow all that was asked of them together.

    Where that is too much for one, the view says who still has a place.
    """
    together = Counter(ask.rate for ask in asks)
    return {
        rate: rate.headers() if rate else {}
        for rate, times in together.items()
        if rate is None or rate.spend(times)
    }


def _plain_headers(scope: Any) -> dict[str, str] | None:
    """The headers by name where nothing about the request is out of the ordinary, else None."""
    if scope["method"] != "POST" or scope["path"] != PATH:
        return None
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    length = headers.get("content-length", "")
    is_plain = (
        len(headers) == len(scope["headers"])
        and "authorization" in headers
        and "origin" not in headers
        and "content-encoding" not in headers
        and headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
        and length.isdigit()
        and int(length) <= settings.BODY_LIMIT
        and validate_host(split_domain_port(headers.get("host", ""))[0], settings.ALLOWED_HOSTS)
    )
    return headers if is_plain else None


async def _whole(receive: Any) -> list[Any]:
    """All that there is to hear of a body, to the last of it or to the client's leaving."""
    heard = [await receive()]
    while heard[-1]["type"] == "http.request" and heard[-1].get("more_body"):
        heard.append(await receive())
    return heard


def _heard_again(heard: Sequence[Any], receive: Any) -> Any:
    messages: Iterator[Any] = iter(heard)

    async def receive_again() -> Any:
        for message in messages:
            return message
        return await receive()

    return receive_again


async def _send(reply: Reply, send: Any) -> None:
    body = json.dumps(reply.body, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {**_common_headers(), **reply.headers, "Content-Length": str(len(body))}
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in headers.items()
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


@cache
def _common_headers() -> dict[str, str]:
    """What the view's answers have, by the same middleware."""

    def respond(request: HttpRequest) -> HttpResponse:
        headers = {"Allow": "POST, OPTIONS", "Vary": "origin"}
        return HttpResponse(content_type="application/json", headers=headers)

    answer: Any = respond
    for middleware in (XFrameOptionsMiddleware, CSPMiddleware, SecurityMiddleware):
        answer = middleware(answer)
    found: HttpResponse = answer(HttpRequest())
    return dict(found.items())
