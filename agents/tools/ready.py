"""How a tool is made: a model of its arguments, and a function that does it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.backends.base import Json, Result
from agents.errors import ToolFailed


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


A = TypeVar("A", bound=Arguments)


@dataclass(slots=True, kw_only=True)
class ReadyTool(Generic[A]):
    """A tool whose arguments are read by a model of pydantic, from which its schema is made."""

    name: str
    description: str
    reads: type[A]
    does: Callable[[A], Awaitable[Result]]
    parameters: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = _schema_of(self.reads)

    async def __call__(self, arguments: Json) -> Result:
        try:
            read = self.reads.model_validate(arguments)
        except ValidationError as error:
            raise ToolFailed(sentence_of(error)) from error
        return await self.does(read)


@cache
def _schema_of(reads: type[Arguments]) -> Mapping[str, Any]:
    # Milliseconds each, and every run has a box of tools of its own.
    return reads.model_json_schema()


def sentence_of(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
