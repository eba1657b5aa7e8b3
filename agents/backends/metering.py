"""What a request to a model has used, also where it was stopped before the vendor had counted."""

from collections.abc import Sequence
from copy import copy

from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from agents.backends.base import Usage
from agents.backends.prices import cost_of
from agents.backends.vendors import Vendor

# In UTF-8, which holds roughly for prose and code in most scripts.
BYTES_PER_TOKEN = 4


def used(
    response: ModelResponse, *, asked: Sequence[ModelMessage], prompt: str, vendor: Vendor
) -> Usage:
    """Of one request, finished or not, with what it costs."""
    counted = copy(response.usage)
    # The vendor's last word on it comes with the reason why the answer ends, or after that.
    is_estimated = not (response.finish_reason and counted.total_tokens)
    if is_estimated:
        counted.input_tokens = counted.input_tokens or _tokens(prompt, *_texts(asked))
        counted.output_tokens = max(counted.output_tokens, _tokens(*_texts([response])))
    return Usage(
        input_tokens=counted.input_tokens,
        output_tokens=counted.output_tokens,
        cache_read_tokens=counted.cache_read_tokens,
        cache_write_tokens=counted.cache_write_tokens,
        requests=1,
        cost=cost_of(
            counted,
            model=response.model_name or "",
            vendor=vendor.id,
            address=response.provider_url or "",
        ),
        is_estimated=is_estimated,
    )


def _tokens(*texts: str) -> int:
    return -(-sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN)


def _texts(messages: Sequence[ModelMessage]) -> list[str]:
    texts = []
    for message in messages:
        for part in message.parts:
            match part:
                case UserPromptPart(content=str(text)) | TextPart(content=text):
                    texts.append(text)
                case ThinkingPart(content=text):
                    texts.append(text)
                case ToolCallPart():
                    texts.append(part.tool_name + part.args_as_json_str())
                case ToolReturnPart():
                    texts.append(part.model_response_str())
                case _:
                    pass
    return texts
