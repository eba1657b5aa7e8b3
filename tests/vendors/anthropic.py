"""The Messages API of Anthropic, as its documentation of streaming has it."""

import json
from collections.abc import Iterator
from typing import Any

from tests.vendors.script import (
    Answer,
    Failure,
    Ping,
    Refusal,
    Text,
    Thinking,
    ToolUse,
    Unknown,
    slices,
)

PATH = "/v1/messages"
STOPS = {"end": "end_turn", "tool": "tool_use", "length": "max_tokens", "refusal": "refusal"}
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def question(body: dict[str, Any]) -> tuple[str, int]:
    """What the person asked last, and how often the model has responded to it."""
    responses = 0
    for message in reversed(body["messages"]):
        if message["role"] == "assistant":
            responses += 1
            continue
        content = message["content"]
        texts = (
            [content]
            if isinstance(content, str)
            else [block["text"] for block in content if block["type"] == "text"]
        )
        if texts:
            return "\n".join(texts), responses
    return "", responses


class Stream:
    """The events of one answer: what begins it, each piece, what ends it."""

    def __init__(self, answer: Answer, body: dict[str, Any]) -> None:
        self._answer = answer
        self._model = body["model"]
        self._index = -1
        self._block = ""

    def opening(self) -> Iterator[bytes]:
        yield _event(
            "message_start",
            message={
                "id": "msg_01VendorOfTheTests",
                "type": "message",
                "role": "assistant",
                "content": [],
                "model": self._model,
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {
                    "input_tokens": self._answer.input_tokens,
                    "cache_creation_input_tokens": self._answer.cache_write_tokens,
                    "cache_read_input_tokens": self._answer.cache_read_tokens,
                    "output_tokens": 1,
                },
            },
        )

    def text(self, piece: Text) -> Iterator[bytes]:
        yield from self._begin("text", {"type": "text", "text": ""})
        for part in slices(piece.text, piece.each):
            yield self._delta({"type": "text_delta", "text": part})

    def thinking(self, piece: Thinking) -> Iterator[bytes]:
        yield from self._begin("", {"type": "thinking", "thinking": "", "signature": ""})
        for part in slices(piece.text, piece.each):
            yield self._delta({"type": "thinking_delta", "thinking": part})
        yield self._delta({"type": "signature_delta", "signature": piece.signature})

    def tool_use(self, piece: ToolUse) -> Iterator[bytes]:
        block = {"type": "tool_use", "id": piece.id, "name": piece.name, "input": {}}
        yield from self._begin("", block)
        arguments = piece.arguments
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        for part in ["", *slices(text, piece.each)]:
            yield self._delta({"type": "input_json_delta", "partial_json": part})

    def ping(self, _piece: Ping) -> Iterator[bytes]:
        yield _event("ping")

    def unknown(self, _piece: Unknown) -> Iterator[bytes]:
        yield _event("content_block_sparkle", index=self._index, sparkle={"brightness": 3})

    def failure(self, piece: Failure) -> Iterator[bytes]:
        yield _event("error", error={"type": piece.kind, "message": piece.message})

    def closing(self) -> Iterator[bytes]:
        yield from self._end()
        usage = {"output_tokens": self._answer.output_tokens} if self._answer.counts else {}
        stop = {"stop_reason": STOPS[self._answer.stopped_by], "stop_sequence": None}
        yield _event("message_delta", delta=stop, usage=usage)
        yield _event("message_stop")

    def _begin(self, joined: str, block: dict[str, Any]) -> Iterator[bytes]:
        if joined and joined == self._block:
            return
        yield from self._end()
        self._index += 1
        self._block = joined or block["type"]
        yield _event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)

    def _end(self) -> Iterator[bytes]:
        if self._block:
            yield _event("content_block_stop", index=self._index)
        self._block = ""


def refusal(refusal: Refusal) -> bytes:
    kind = refusal.kind or KINDS.get(refusal.status, "api_error")
    error = {"type": kind, "message": refusal.message}
    return json.dumps({"type": "error", "error": error, "request_id": "req_01Tests"}).encode()


def _event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()
