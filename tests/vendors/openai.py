"""The chat completions of OpenAI, and of everybody who speaks as OpenAI does."""

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

PATH = "/v1/chat/completions"
STOPS = {"end": "stop", "tool": "tool_calls", "length": "length", "refusal": "content_filter"}
KINDS = {400: "invalid_request_error", 401: "invalid_request_error", 429: "rate_limit_exceeded"}


def question(body: dict[str, Any]) -> tuple[str, int]:
    """What the person asked last, and how often the model has responded to it."""
    responses = 0
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            content = message["content"]
            texts = (
                [content]
                if isinstance(content, str)
                else [part["text"] for part in content if part["type"] == "text"]
            )
            return "\n".join(texts), responses
        responses += message["role"] == "assistant"
    return "", responses


class Stream:
    """The chunks of one answer: what begins it, each piece, what ends it."""

    def __init__(self, answer: Answer, body: dict[str, Any]) -> None:
        self._answer = answer
        self._model = body["model"]
        self._counts = answer.counts and body.get("stream_options", {}).get("include_usage")
        self._tools = 0

    def opening(self) -> Iterator[bytes]:
        yield self._delta({"role": "assistant", "content": "", "refusal": None})

    def text(self, piece: Text) -> Iterator[bytes]:
        for part in slices(piece.text, piece.each):
            yield self._delta({"content": part})

    def thinking(self, piece: Thinking) -> Iterator[bytes]:
        for part in slices(piece.text, piece.each):
            yield self._delta({"reasoning_content": part})

    def tool_use(self, piece: ToolUse) -> Iterator[bytes]:
        function = {"name": piece.name, "arguments": ""}
        call = {"index": self._tools, "id": piece.id, "type": "function", "function": function}
        yield self._delta({"tool_calls": [call]})
        arguments = piece.arguments
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        for part in slices(text, piece.each):
            call = {"index": self._tools, "function": {"arguments": part}}
            yield self._delta({"tool_calls": [call]})
        self._tools += 1

    def ping(self, _piece: Ping) -> Iterator[bytes]:
        yield b": still here\n\n"

    def unknown(self, _piece: Unknown) -> Iterator[bytes]:
        yield self._delta({"sparkle": {"brightness": 3}})

    def failure(self, piece: Failure) -> Iterator[bytes]:
        error = {"message": piece.message, "type": piece.kind, "param": None, "code": None}
        yield _data({"error": error})

    def closing(self) -> Iterator[bytes]:
        yield self._delta({}, finish_reason=STOPS[self._answer.stopped_by])
        if self._counts:
            yield self._chunk([], usage=self._usage())
        yield b"data: [DONE]\n\n"

    def _usage(self) -> dict[str, Any]:
        answer = self._answer
        prompt = answer.input_tokens + answer.cache_read_tokens + answer.cache_write_tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": answer.output_tokens,
            "total_tokens": prompt + answer.output_tokens,
            "prompt_tokens_details": {"cached_tokens": answer.cache_read_tokens},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }

    def _delta(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        if self._answer.is_sparse:
            return _data({"choices": [{"delta": delta, "finish_reason": finish_reason or ""}]})
        return self._chunk([choice])

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        chunk = {
            "id": "chatcmpl-VendorOfTheTests",
            "object": "chat.completion.chunk",
            "created": 1763700000,
            "model": self._model,
            "service_tier": "default",
            "system_fingerprint": "fp_tests",
            "choices": choices,
        }
        return _data({**chunk, "usage": usage} if self._counts else chunk)


def refusal(refusal: Refusal) -> bytes:
    kind = refusal.kind or KINDS.get(refusal.status, "server_error")
    error = {"message": refusal.message, "type": kind, "param": None, "code": refusal.code}
    return json.dumps({"error": error}).encode()


def _data(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
