"""Events as bytes: SSE frames and those of sockets, each made once per process."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from websockets.frames import Frame, Opcode

from streaming.events import Event, iso, made_once, seq_of
from streaming.follow import Truncated

RETRY_MS = 3000
PING = b": ping\n\n"


def socket_text(event: Event, stream: str | None = None) -> str:
    """What a socket is told of an event; where it has many streams, also of which stream it is."""
    head: dict[str, object] = {"stream": stream} if stream else {}
    head |= {
        "id": event.id,
        "seq": event.seq,
        "type": event.kind,
        "timestamp": iso(event.occurred_at),
    }
    return _joined(head, event.payload)


def socket_frame(event: Event, stream: str | None = None) -> bytes:
    """The text as it goes over the network: not masked or compressed, and the same to everybody."""
    cached = event.rendered.get(stream)
    if cached is None:
        cached = Frame(Opcode.TEXT, socket_text(event, stream).encode()).serialize(mask=False)
        event.rendered[stream] = cached
    return cached


def frame(event: Event) -> dict[str, Any]:
    """What a socket is told, as a value, for answers that list events."""
    decoded: dict[str, Any] = json.loads(socket_text(event))
    return decoded


@made_once
def unnamed_sse(event: Event) -> bytes:
    """An SSE frame for `onmessage`: type, time and payload."""
    head = {"type": event.kind, "timestamp": iso(event.occurred_at)}
    return f"id: {event.id}\ndata: {_joined(head, event.payload)}\n\n".encode()


def sse_notice(notice: Mapping[str, object], *, is_named: bool = False) -> bytes:
    """A frame without a number of its own."""
    name = f"event: {notice['type']}\n" if is_named else ""
    return f"{name}data: {_compact(notice)}\n\n".encode()


def sse_opening(last_id: str | None, *, is_named: bool = False) -> bytes:
    """The first bytes; with an id they say where the stream stands."""
    retry = f"retry: {RETRY_MS}\n".encode()
    if last_id is None:
        return retry + b"\n"
    return retry + sse_notice(connected(last_id), is_named=is_named)


def connected(last_id: str) -> dict[str, object]:
    return {"type": "connected", "timestamp": _now(), "lastEventId": last_id}


def truncated(notice: Truncated) -> dict[str, object]:
    return {
        "type": "stream.truncated",
        "timestamp": _now(),
        "oldestId": notice.oldest_id,
        "data": {"oldestId": notice.oldest_id},
    }


def notice_text(notice: Mapping[str, object], stream: str | None = None) -> str:
    return _compact({"stream": stream, **notice} if stream else notice)


def cursor(last_event_id: str | None, since: str | None) -> int | None:
    """The number to go on from. The header wins: a browser sends it when it comes back."""
    given = last_event_id or since
    return seq_of(given) if given else None


def _joined(head: Mapping[str, object], payload: str) -> str:
    opening = _compact(head)
    return opening if payload == "{}" else f"{opening[:-1]},{payload[1:]}"


def _compact(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _now() -> str:
    return iso(datetime.now(UTC))
