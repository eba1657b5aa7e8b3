"""What a fake vendor is to answer, in words that fit every vendor, as Python or as JSON."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(Part):
    """Neighbours make one block. With `each`, so many characters go at a time; `times` over."""

    type: Literal["text"] = "text"
    text: str
    each: int = 0
    times: int = 1
    pace_s: float = 0


class Thinking(Part):
    """OpenAI has no such thing: it goes as `reasoning_content`, as many other servers send it."""

    type: Literal["thinking"] = "thinking"
    text: str
    each: int = 0
    signature: str = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk"


class ToolUse(Part):
    type: Literal["tool"] = "tool"
    id: str
    name: str
    arguments: dict[str, Any] | str
    each: int = 7


class Ping(Part):
    """Something that keeps the connection open and says nothing."""

    type: Literal["ping"] = "ping"


class Unknown(Part):
    """A kind of event which came into the world after us."""

    type: Literal["unknown"] = "unknown"


class Wait(Part):
    type: Literal["wait"] = "wait"
    seconds: float


class Failure(Part):
    """An error in the midst of a stream that began well."""

    type: Literal["failure"] = "failure"
    kind: str = "overloaded_error"
    message: str = "Overloaded"


class Drop(Part):
    """The connection is gone; `neatly`, as if the answer were whole."""

    type: Literal["drop"] = "drop"
    neatly: bool = False


Piece = Annotated[
    Text | Thinking | ToolUse | Ping | Unknown | Wait | Failure | Drop, Field(discriminator="type")
]

Stop = Literal["end", "tool", "length", "refusal"]


class Answer(Part):
    """A stream of pieces, and what it has cost.

    `cut` says where the bytes are cut on their way: after whole events, after every byte, or
    anywhere (the same each time).
    """

    pieces: tuple[Piece, ...]
    stop: Stop | None = None
    # Beside what is read from the cache or written to it.
    input_tokens: int = 25
    output_tokens: int = 15
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    counts: bool = True
    # As servers do that leave out whatever nobody reads; of OpenAI's way only.
    is_sparse: bool = False
    cut: Literal["events", "bytes", "anywhere"] = "events"

    @property
    def stopped_by(self) -> Stop:
        uses_tools = any(isinstance(piece, ToolUse) for piece in self.pieces)
        return self.stop or ("tool" if uses_tools else "end")

    @property
    def text(self) -> str:
        return "".join(piece.text * piece.times for piece in self.pieces if isinstance(piece, Text))


class Refusal(Part):
    """An answer that never begins."""

    status: int
    message: str = "No."
    kind: str = ""
    code: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)


Script = Answer | Refusal


class Scripts(Part):
    """For `FakeVendors.play` and for each `FakeVendors.when`."""

    play: tuple[Script, ...] = ()
    when: dict[str, tuple[Script, ...]] = Field(default_factory=dict)


def slices(text: str, each: int) -> list[str]:
    if not each:
        return [text]
    return [text[start : start + each] for start in range(0, len(text), each)] or [""]
