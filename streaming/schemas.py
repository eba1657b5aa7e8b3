"""What a client may say on the many-topic socket."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from streaming.events import Filter

Name = Annotated[str, Field(min_length=1, max_length=200)]


class Subscribe(BaseModel):
    model_config = ConfigDict(strict=True)

    action: Literal["subscribe"]
    stream: Name
    since: str | None = None
    types: Annotated[list[Name], Field(max_length=100)] | None = None
    agentIds: Annotated[list[Name], Field(max_length=100)] | None = None

    @property
    def only(self) -> Filter:
        types = self.types or []
        return Filter(
            kinds=frozenset(kind for kind in types if not kind.endswith("*")),
            families=tuple(kind[:-1] for kind in types if kind.endswith("*")),
            subjects=frozenset(self.agentIds or []),
        )


class Unsubscribe(BaseModel):
    model_config = ConfigDict(strict=True)

    action: Literal["unsubscribe"]
    stream: Name


class Ping(BaseModel):
    action: Literal["ping"]


Command = Subscribe | Unsubscribe | Ping

_commands: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="action")])


def read_command(text: str) -> Command:
    """Raises ValidationError, also where it is no JSON at all."""
    return _commands.validate_json(text)
