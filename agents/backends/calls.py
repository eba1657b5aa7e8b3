"""The tools of a run: as the model is told of them, and done when it asks."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.tools import ToolDefinition

from agents.backends import plans
from agents.backends.base import Json, Scribe, Tool


class Calls:
    """Does what the model asks for; what it asks for at once is done side by side."""

    def __init__(self, tools: Mapping[str, Tool], scribe: Scribe) -> None:
        self._tools = tools
        self._scribe = scribe
        self.definitions = [plans.DEFINITION, *(_definition(tool) for tool in tools.values())]
        self._schemas = {
            definition.name: definition.parameters_json_schema for definition in self.definitions
        }

    async def do(self, response: ModelResponse) -> ModelRequest:
        """Every call of a response, answered in their order."""
        return ModelRequest(parts=await _side_by_side(map(self._do, response.tool_calls)))

    async def _do(self, call: ToolCallPart) -> ToolReturnPart:
        found = ToolReturnPart(call.tool_name, "", call.tool_call_id)
        try:
            arguments = self._arguments(call)
        except _BadCall as fault:
            return replace(found, content=str(fault), outcome="retried")
        if call.tool_name == plans.NAME:
            await self._scribe.plan(plans.todos(arguments))
            return replace(found, content="People see it now.")
        tool = self._tools[call.tool_name]
        text = await self._scribe.call(
            call.tool_call_id, call.tool_name, arguments, lambda: tool(arguments)
        )
        return replace(found, content=text)

    def _arguments(self, call: ToolCallPart) -> Json:
        if call.tool_name not in self._schemas:
            raise _BadCall(f"There is no such tool; there are: {', '.join(self._schemas)}")
        try:
            arguments = call.args_as_dict(raise_if_invalid=True)
        except (ValueError, AssertionError) as error:
            raise _BadCall(f"The arguments are not a JSON object: {error}") from error
        validator = Draft202012Validator(self._schemas[call.tool_name])
        if fault := best_match(validator.iter_errors(arguments)):
            raise _BadCall(f"The arguments do not fit, at {fault.json_path}: {fault.message}")
        return arguments


def told_apart(response: ModelResponse, earlier: Sequence[ModelMessage]) -> ModelResponse:
    """With an id of its own for each call: some servers count from zero in every response."""
    known = {
        call.tool_call_id
        for message in earlier
        if isinstance(message, ModelResponse)
        for call in message.tool_calls
    }
    parts: list[ModelResponsePart] = []
    for part in response.parts:
        if isinstance(part, ToolCallPart):
            if part.tool_call_id in known:
                part = replace(part, tool_call_id=f"{part.tool_call_id}.{len(known)}")
            known.add(part.tool_call_id)
        parts.append(part)
    return replace(response, parts=parts)


class _BadCall(Exception):
    """The model is told why, and may ask again."""


def _definition(tool: Tool) -> ToolDefinition:
    # Vendors that enforce a schema know only some of what a schema may say.
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=dict(tool.parameters),
        strict=False,
    )


async def _side_by_side(
    calls: Iterable[Coroutine[Any, Any, ToolReturnPart]],
) -> list[ToolReturnPart]:
    """What all of them found; where one may not go on, none does."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as several:
        raise several.exceptions[0] from several
    return [task.result() for task in tasks]
