"""The short way in for events: what is plainly fine needs no Django request around it.

Single events wait in line while the ones before them are written, and are then written together:
the busier it is, the more of them share a transaction. A batch is a transaction by itself.
Whatever is out of the ordinary goes the long way instead, to the view of the same address, which
has an answer to everything.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from prometheus_client import Gauge
from pydantic_core import to_json

from agentpipe.api.authentication import Refused, Visit, caller_by_key
from agentpipe.api.body import Application
from agentpipe.api.ingest_line import Knock, Line, Reply
from agentpipe.api.throttling import Rate, rate_of
from conversations.access import Caller
from conversations.errors import BodyTooLarge
from conversations.ingest.batches import read_batch, receive_batch
from conversations.ingest.dispatch import is_snake
from conversations.ingest.reading import InvalidJSON, read_json
from conversations.ingest.receive import receive
from conversations.models import Scope
from streaming import tracing

EVENT = "/api/ingest"
BATCH = "/api/ingest/batch"
# A body is held in memory before anybody knows whose it is. Larger batches go the long way.
LARGEST = {EVENT: settings.BODY_LIMIT, BATCH: 2 * 1024 * 1024}
MOST_TOGETHER = 256
# While one transaction is on its way to the disk, the next is made ready.
MOST_WRITING = 2
MOST_WRITING_BATCHES = 3
WAITING = Gauge("agentpipe_ingest_waiting", "Requests in line for a transaction after this one.")


class IngestDoor:
    def __init__(self, application: Application) -> None:
        self.application = application
        self.lines = {
            EVENT: Line(write_events, most_together=MOST_TOGETHER, most_writing=MOST_WRITING),
            BATCH: Line(write_batch, most_together=1, most_writing=MOST_WRITING_BATCHES),
        }
        # Asked when the metrics are.
        WAITING.set_function(lambda: sum(len(line.waiting) for line in self.lines.values()))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = _plain_headers(scope) if scope["path"] in self.lines else None
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
        reply = await self.lines[scope["path"]].wait_for(knock)
        if reply is None:
            await self.application(scope, _heard_again(heard, receive), send)
        else:
            await _send(reply, send)


def write_events(knocks: Sequence[Knock]) -> list[Reply | None]:
    replies: list[Reply | None] = [None] * len(knocks)
    visits = {knock.visit.headers["authorization"]: knock.visit for knock in knocks}
    callers = {key: _caller(visit) for key, visit in visits.items()}
    asked = [
        ask
        for place, knock in enumerate(knocks)
        if (ask := _ask(place, knock, callers[knock.visit.headers["authorization"]]))
    ]
    headers = _spend(Counter(ask.rate for ask in asked))
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


def write_batch(knocks: Sequence[Knock]) -> list[Reply | None]:
    [knock] = knocks
    caller = _caller(knock.visit)
    if caller is None:
        return [None]
    try:
        events = read_batch(knock.body)
    except (InvalidJSON, BodyTooLarge):
        return [None]
    rate = rate_of("ingest", caller)
    headers = _spend(Counter([rate])).get(rate)
    if headers is None:
        return [None]
    body = receive_batch(events, project=caller.project, key=knock.idempotency_key)
    return [Reply(status=200, body=body, headers=headers)]


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


def _spend(together: Counter[Rate | None]) -> dict[Rate | None, dict[str, str]]:
    """The headers of the rates that allow all that is asked of them together.

    Where that is too much for one, the view says who still has a place.
    """
    return {
        rate: rate.headers() if rate else {}
        for rate, times in together.items()
        if rate is None or rate.spend(times)
    }


def _plain_headers(scope: Any) -> dict[str, str] | None:
    """The headers by name where nothing about the request is out of the ordinary, else None."""
    if scope["method"] != "POST":
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
        and int(length) <= LARGEST[scope["path"]]
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
    body = to_json(reply.body)
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
