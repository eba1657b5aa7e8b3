"""Every request that a client can make, and how its answer is read. Nothing here is sent."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, Unpack
from urllib.parse import quote
from uuid import uuid4

from agentpipe_client.files import JSON, NDJSON, FileBody
from agentpipe_client.record import (
    BatchAnswer,
    ErrorContext,
    ExportFormat,
    Filters,
    Job,
    Json,
    Message,
    Start,
    Totals,
    camel,
    camel_fields,
)

PAGE_SIZE = "100"

Answer = TypeVar("Answer", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Answer]):
    method: str
    path: str
    read: Callable[[Any], Answer]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | FileBody = b""


# Recording


def send_event(
    kind: str,
    data: Json,
    *,
    read: Callable[[Json], Answer],
    timestamp: datetime | None = None,
    idempotency_key: str | None = None,
) -> Call[Answer]:
    event = {"type": kind, "timestamp": camel(timestamp or datetime.now(UTC)), "data": data}
    return Call(
        method="POST",
        path="/api/ingest",
        read=read,
        content=json.dumps(event).encode(),
        headers=_recording(JSON, idempotency_key),
    )


def start_conversation(**start: Unpack[Start]) -> Call[str]:
    return send_event("conversation.started", camel_fields({**start}), read=_id("conversationId"))


def send_message(conversation_id: str, message: Message) -> Call[str]:
    data = {"conversationId": conversation_id, "message": camel(message)}
    return send_event("message.created", data, read=_id("messageId"))


def complete_conversation(
    conversation_id: str, reason: str | None, **totals: Unpack[Totals]
) -> Call[None]:
    none = Totals(total_messages=0, total_tokens=0, total_cost=0.0, total_duration=0)
    reported = {"conversation_id": conversation_id, "completion_reason": reason, **none, **totals}
    return send_event("conversation.completed", camel_fields(reported), read=_nothing)


def interrupt_conversation(
    conversation_id: str, reason: str | None, **totals: Unpack[Totals]
) -> Call[None]:
    reported = {"conversation_id": conversation_id, "reason": reason, **totals}
    return send_event("conversation.interrupted", camel_fields(reported), read=_nothing)


def report_error(
    error: str, conversation_id: str | None, **context: Unpack[ErrorContext]
) -> Call[None]:
    reported = {"error": error, "conversation_id": conversation_id, **context}
    return send_event("error.occurred", camel_fields(reported), read=_nothing)


def send_batch(lines: bytes, idempotency_key: str | None = None) -> Call[BatchAnswer]:
    """Up to 1,000 events, one a line."""
    return Call(
        method="POST",
        path="/api/ingest/batch",
        read=BatchAnswer.of,
        content=lines,
        headers=_recording(NDJSON, idempotency_key),
    )


def lines_of(events: Iterable[Json]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def upload_session(session: Json) -> Call[Json]:
    return Call(
        method="POST",
        path="/api/sessions/upload",
        read=_as_it_is,
        content=json.dumps(session).encode(),
        headers=_recording(JSON, None),
    )


# Importing


def create_job(project: str, body: FileBody) -> Call[Job]:
    return Call(
        method="POST",
        path=_jobs(project),
        read=Job.of,
        content=body,
        headers={**body.headers, "Idempotency-Key": str(uuid4())},
    )


def job(project: str, job_id: str) -> Call[Job]:
    return Call(method="GET", path=f"{_jobs(project)}/{_segment(job_id)}", read=Job.of)


def jobs(project: str, page: int) -> Call[Json]:
    return Call(method="GET", path=_jobs(project), query=_page(page), read=_as_it_is)


def cancel_job(project: str, job_id: str) -> Call[Job]:
    return Call(method="POST", path=f"{_jobs(project)}/{_segment(job_id)}/cancel", read=Job.of)


# Reading


def conversations(after: str, **filters: Unpack[Filters]) -> Call[Json]:
    query = {**_wanted(filters), "after": after, "page_size": PAGE_SIZE}
    return Call(method="GET", path="/api/conversations", query=query, read=_as_it_is)


def found_conversations(page: int, **filters: Unpack[Filters]) -> Call[Json]:
    """What is found with `q` is ranked: there is no place in it to go on from."""
    query = {**_wanted(filters), **_page(page)}
    return Call(method="GET", path="/api/conversations", query=query, read=_as_it_is)


def conversation(conversation_id: str) -> Call[Json]:
    return Call(method="GET", path=_conversation(conversation_id), read=_as_it_is)


def messages(conversation_id: str, after: str) -> Call[Json]:
    path = f"{_conversation(conversation_id)}/messages"
    query = {"after": after, "page_size": PAGE_SIZE}
    return Call(method="GET", path=path, query=query, read=_as_it_is)


def export_conversation(conversation_id: str, form: ExportFormat) -> Call[None]:
    path = f"{_conversation(conversation_id)}/export"
    return Call(method="GET", path=path, query={"format": form}, read=_nothing)


def export_project(project: str) -> Call[None]:
    return Call(method="GET", path=f"/api/projects/{_segment(project)}/export", read=_nothing)


# Streams


def project_stream(project: str) -> str:
    return f"/api/stream/projects/{_segment(project)}"


def conversation_stream(conversation_id: str) -> str:
    return f"/api/stream/conversations/{_segment(conversation_id)}"


def _recording(media_type: str, idempotency_key: str | None) -> dict[str, str]:
    # Made once for a call, so that each attempt carries the same.
    return {"Content-Type": media_type, "Idempotency-Key": idempotency_key or str(uuid4())}


def _jobs(project: str) -> str:
    return f"/api/projects/{_segment(project)}/ingest/jobs"


def _conversation(conversation_id: str) -> str:
    return f"/api/conversations/{_segment(conversation_id)}"


def _segment(name: str) -> str:
    return quote(name, safe="")


def _wanted(filters: Filters) -> dict[str, str]:
    return {name: str(value) for name, value in filters.items()}


def _page(page: int) -> dict[str, str]:
    return {"page": str(page), "page_size": PAGE_SIZE}


def _id(name: str) -> Callable[[Json], str]:
    return lambda body: str(body[name])


def _as_it_is(body: Json) -> Json:
    return body


def _nothing(body: object) -> None:
    return None
