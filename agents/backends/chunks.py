"""The SDK of OpenAI, quicker at what it does fifty times a second in each of hundreds of runs."""

from typing import Any

import httpx2
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk
from pydantic import ValidationError


class QuickOpenAI(AsyncOpenAI):
    """Reads chunks with pydantic's own validation, which takes half the time of a whole piece.

    What does not pass it, as the chunks of some other servers do not, is read as the SDK reads it:
    field by field in Python, and whatever is there.
    """

    def _process_response_data(
        self, *, data: object, cast_to: type[Any], response: httpx2.Response
    ) -> Any:
        if cast_to is ChatCompletionChunk:
            try:
                return ChatCompletionChunk.model_validate(data)
            except ValidationError:
                pass
        return super()._process_response_data(data=data, cast_to=cast_to, response=response)
