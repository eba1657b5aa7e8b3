"""The backend that asks a model: any of Anthropic's, or of a server that speaks as OpenAI does.

A run is a list of messages that begins with the question and grows by one at a time: what the model
responds, then what its tools found, until a response asks for no tool. The list is what the scribe
keeps after each of them, so that a run which was interrupted goes on behind the last one: no
response is asked for twice, and the scribe knows which calls were done.
"""

from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings

from agents.backends import vendors
from agents.backends.base import Agent, Assignment, Json, Scribe, Turn
from agents.backends.calls import Calls, told_apart
from agents.backends.faults import broken, translated
from agents.backends.metering import used
from agents.backends.thinking import Splitter, Told
from agents.errors import BackendFailed
from streaming import tracing

# More than pydantic-ai lets a model think where that has to be said in tokens.
MOST_THOUGHT_TOKENS = 16_000


class Model:
    """A Backend."""

    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        run = _Run(assignment, scribe)
        while not run.is_answered:
            await run.take_step()
            await scribe.keep(run.state)


class _Run:
    def __init__(self, assignment: Assignment, scribe: Scribe) -> None:
        self._agent = assignment.agent
        self._scribe = scribe
        self._vendor, self._model = vendors.find(self._agent.model)
        self._calls = Calls(assignment.tools, scribe)
        self._earlier = [_as_message(turn) for turn in assignment.history if turn.content]
        self._messages = _resumed(assignment.state) or [
            ModelRequest.user_text_prompt(assignment.prompt)
        ]

    @property
    def is_answered(self) -> bool:
        last = self._messages[-1]
        return isinstance(last, ModelResponse) and not last.tool_calls

    @property
    def state(self) -> Json:
        return {"messages": ModelMessagesTypeAdapter.dump_python(self._messages, mode="json")}

    async def take_step(self) -> None:
        last = self._messages[-1]
        if isinstance(last, ModelResponse):
            self._messages.append(await self._calls.do(last))
        else:
            self._messages.append(told_apart(await self._ask(), self._messages))

    async def _ask(self) -> ModelResponse:
        name = self._model.model_name
        about: Json = {"gen_ai.operation.name": "chat", "gen_ai.request.model": name}
        with tracing.span(f"chat {name}", **about):
            return await self._ask_once()

    async def _ask_once(self) -> ModelResponse:
        requests = sum(isinstance(message, ModelResponse) for message in self._messages)
        if requests >= self._agent.most_requests:
            raise BackendFailed(f"The agent did not come to an end within {requests} requests")
        stream: StreamedResponse | None = None
        asked = [*self._earlier, *self._messages]
        try:
            with translated(self._vendor, self._model.model_name):
                async with model_request_stream(
                    self._model,
                    asked,
                    model_settings=_settings(self._agent),
                    model_request_parameters=self._parameters(),
                ) as stream:
                    await _tell(stream, self._scribe)
        finally:
            # Also of what was cancelled or broke off, and after the connection is closed.
            if stream is not None:
                usage = used(
                    stream.get(), asked=asked, prompt=self._agent.prompt, vendor=self._vendor
                )
                tracing.note(
                    **{
                        "gen_ai.usage.input_tokens": usage.input_tokens,
                        "gen_ai.usage.output_tokens": usage.output_tokens,
                    }
                )
                await self._scribe.spend(usage)
        return await self._accepted(stream.get())

    def _parameters(self) -> ModelRequestParameters:
        prompt = self._agent.prompt
        return ModelRequestParameters(
            function_tools=self._calls.definitions,
            instruction_parts=[InstructionPart(content=prompt)] if prompt else [],
        )

    async def _accepted(self, response: ModelResponse) -> ModelResponse:
        match response.finish_reason:
            case "content_filter":
                raise BackendFailed(f"{self._model.model_name} declined to answer this")
            case "length" if not response.tool_calls:
                await self._scribe.status(
                    f"The answer ends here: it may have {self._agent.most_tokens} tokens"
                )
        # A stream which was cut off neatly has no reason to end.
        if not (response.provider_details or {}).get("finish_reason"):
            raise broken(self._vendor)
        return response


def _as_message(turn: Turn) -> ModelMessage:
    if turn.role == "user":
        return ModelRequest.user_text_prompt(turn.content)
    return ModelResponse(parts=[TextPart(turn.content)])


def _resumed(state: Json | None) -> list[ModelMessage]:
    return ModelMessagesTypeAdapter.validate_python(state["messages"]) if state else []


def _settings(agent: Agent) -> ModelSettings:
    # Each request of a run repeats the ones before it: most of it is then read from the cache.
    settings = ModelSettings(max_tokens=agent.most_tokens, cache=bool(agent.tools))
    if agent.thinks:
        # Thoughts count as output, and leave no choice of temperature.
        settings["thinking"] = True
        settings["max_tokens"] = agent.most_tokens + MOST_THOUGHT_TOKENS
    elif agent.temperature is not None:
        settings["temperature"] = agent.temperature
    return settings


async def _tell(stream: StreamedResponse, scribe: Scribe) -> None:
    """Each piece as it comes."""
    splitter = Splitter()
    async for event in stream:
        match event:
            case (
                PartStartEvent(part=TextPart(content=str(piece)))
                | PartDeltaEvent(delta=TextPartDelta(content_delta=str(piece)))
            ):
                await _tell_apart(splitter.feed(piece), scribe)
            case PartEndEvent(part=TextPart()):
                await _tell_apart(splitter.end(), scribe)
            case (
                PartStartEvent(part=ThinkingPart(content=str(piece)))
                | PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str(piece)))
            ) if piece:
                await scribe.think(piece)
            case _:
                pass


async def _tell_apart(told: Told, scribe: Scribe) -> None:
    for kind, text in told:
        await (scribe.think(text) if kind == "thought" else scribe.say(text))
