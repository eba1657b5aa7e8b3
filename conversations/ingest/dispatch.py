"""From a parsed event to the change it asks for, and from what came of it to the answer."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, assert_never

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from conversations.changes import (
    AddMessage,
    AlreadyThere,
    Change,
    Delivery,
    Json,
    KeyReused,
    Outcome,
    Recorded,
    StartConversation,
    UnknownConversation,
)
from conversations.ingest import camel, snake
from conversations.ingest.types import parse_time, strict_time

SNAKE_ONLY = frozenset({"conversation.error", "log.entry"})
OWN_IDS = (AddMessage, StartConversation)
EXPECTED_OBJECT = "Expected an object"
MESSAGES = {
    "missing": "Required",
    "model_type": EXPECTED_OBJECT,
    "dict_type": EXPECTED_OBJECT,
}
CODES = {
    "missing": "required",
    "string_too_short": "too_small",
    "too_short": "too_small",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "string_too_long": "too_big",
    "too_long": "too_big",
    "less_than": "too_big",
    "less_than_equal": "too_big",
    "string_pattern_mismatch": "invalid_string",
    "literal_error": "invalid_enum_value",
    "invalid_time": "invalid_string",
    "too_small": "too_small",
    "too_big": "too_big",
    "custom": "custom",
}


# Not frozen, as what is made by the thousand.
@dataclass(slots=True)
class Answer:
    status: int
    body: Json


@dataclass(slots=True, kw_only=True)
class Read:
    """An event that has been understood."""

    delivery: Delivery
    model: "Answering"

    def answer(self, outcome: Outcome) -> Answer:
        match outcome:
            case Recorded():
                return Answer(self.model.status, self.model.answer(outcome))
            case UnknownConversation():
                wanted = self.delivery.change.conversation_id
                return Answer(404, {"error": "Conversation not found", "conversationId": wanted})
            case KeyReused():
                return Answer(
                    422, {"error": "This Idempotency-Key was used for another event before"}
                )
            case AlreadyThere():
                return duplicate_of(outcome.conversation_id)
            case _:
                assert_never(outcome)


class Answering(Protocol):
    @property
    def status(self) -> int: ...
    def answer(self, recorded: Recorded) -> Json: ...


class Model(Answering, Protocol):
    def change(self, kind: str, at: datetime) -> Change: ...


def is_snake(event: object) -> bool:
    """Which of the two dialects an event speaks, by the event itself."""
    if not isinstance(event, dict):
        return False
    kind, data = event.get("type"), event.get("data")
    if isinstance(data, dict) and "conversation_id" in data:
        return True
    return isinstance(kind, str) and (kind.startswith("bridge.") or kind in SNAKE_ONLY)


def read(
    event: object, *, arrived_at: datetime, idempotency_key: str | None = None
) -> Read | Answer:
    """Understand an event, or say what is wrong with it."""
    if not isinstance(event, dict):
        return refusal([([], EXPECTED_OBJECT, "invalid_type")])
    kind = event.get("type")
    if not isinstance(kind, str) or not kind:
        code = "required" if kind is None or kind == "" else "invalid_type"
        return refusal([(["type"], "Expected the type of the event", code)])
    speaks_snake = is_snake(event)
    model_class = (snake if speaks_snake else camel).KINDS.get(kind)
    if model_class is None:
        if not speaks_snake:
            return Answer(400, {"error": "Unknown event type"})
        model_class = snake.Unknown
    try:
        at = _timestamp(event.get("timestamp"), is_strict=not speaks_snake)
    except PydanticCustomError as error:
        return refusal([(["timestamp"], error.message(), "invalid_string")])
    data = event.get("data")
    if not isinstance(data, dict):
        if not speaks_snake:
            message = EXPECTED_OBJECT if "data" in event else "Required"
            code = "invalid_type" if "data" in event else "required"
            return refusal([(["data"], message, code)])
        if data is not None:
            model_class, data = snake.Unknown, {"data": data}
    try:
        model: Model = model_class.model_validate(data or {})
    except ValidationError as error:
        return refusal([detail(fault, within="data") for fault in error.errors(include_url=False)])
    change = model.change(kind, at or arrived_at)
    return Read(
        delivery=_delivery(
            change, event, at=at, key=idempotency_key, refuses_reused_key=not speaks_snake
        ),
        model=model,
    )


def duplicate_of(conversation_id: str) -> Answer:
    return Answer(
        409,
        {
            "error": "Duplicate upload",
            "message": "Session with this originalId already exists",
            "existingConversationId": conversation_id,
        },
    )


Fault = tuple[list[str | int], str, str]


def refusal(faults: Sequence[Fault]) -> Answer:
    """The answer to an event that does not validate, the first fault in front."""
    details = [{"path": path, "message": message, "code": code} for path, message, code in faults]
    path, message, _ = faults[0]
    return Answer(
        400,
        {
            "error": "Validation failed",
            "message": message,
            "field": ".".join(map(str, path)),
            "details": details,
        },
    )


def detail(fault: ErrorDetails, *, within: str = "") -> Fault:
    kind = fault["type"]
    fallback = "invalid_type" if kind.endswith("_type") else "invalid"
    message = MESSAGES.get(kind, fault["msg"])
    path = [within, *fault["loc"]] if within else list(fault["loc"])
    return path, message, CODES.get(kind, fallback)


def _timestamp(given: object, *, is_strict: bool) -> datetime | None:
    """When it happened; None where the sender does not say, and so at arrival."""
    if given is None or given == "":
        return None
    if is_strict:
        return strict_time(given)
    try:
        return parse_time(given)
    except PydanticCustomError:
        return None


def _delivery(
    change: Change,
    event: dict[str, Any],
    *,
    at: datetime | None,
    key: str | None,
    refuses_reused_key: bool,
) -> Delivery:
    # Without a time of its own an event is never the repetition of another.
    has_own_id = isinstance(change, OWN_IDS) and change.own_id is not None
    is_known_by_content = at is not None and not has_own_id
    content = b""
    if is_known_by_content or key:
        content = fingerprint_of(
            "event", event.get("type"), at.isoformat() if at else None, event.get("data")
        )
    return Delivery(
        change=change,
        identity=content if is_known_by_content else None,
        key=fingerprint_of("key", key) if key else None,
        fingerprint=content,
        refuses_reused_key=refuses_reused_key,
    )


def fingerprint_of(*parts: object) -> bytes:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()
