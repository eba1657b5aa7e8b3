"""What a backend is given, and to whom it tells what it does."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

Json = dict[str, Any]

TodoStatus = Literal["pending", "in_progress", "completed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent as the settings name it."""

    id: str
    name: str
    # The dotted path of a Backend.
    backend: str
    # `vendor:model`, where a model answers.
    model: str = ""
    prompt: str = ""
    tools: tuple[str, ...] = ()
    # Model requests in a run, and tokens in an answer of the model.
    most_requests: int = 50
    most_tokens: int = 8192
    temperature: float | None = None
    thinks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Something said earlier in the chat."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    id: str
    text: str
    status: TodoStatus = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the vendor counted, and what that costs; of a whole run, not of its last request."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    requests: int = 0
    cost: Decimal = Decimal(0)
    # The vendor was stopped before it said how much it was.
    is_estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            requests=self.requests + other.requests,
            cost=self.cost + other.cost,
            is_estimated=self.is_estimated or other.is_estimated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a tool found: all of it for the agent, a line for people."""

    text: str
    summary: str


Work = Callable[[], Awaitable[Result]]


class Tool(Protocol):
    """Something that an agent can do; its arguments are checked before it is called."""

    name: str
    description: str
    # A JSON schema of the arguments.
    parameters: Mapping[str, Any]

    async def __call__(self, arguments: Json) -> Result: ...


class Scribe(Protocol):
    """Writes down what an agent does, so that everyone sees it and nothing is lost.

    After an interruption the backend is asked again, with the state it kept last. What it says is
    compared with what was already told: the same is not told twice, something else starts that
    step over. A call that has ended is not made again.
    """

    async def say(self, text: str) -> None:
        """A piece of the answer."""

    async def think(self, text: str) -> None:
        """A piece of reasoning, which is shown apart from the answer."""

    async def plan(self, items: Sequence[Todo]) -> None: ...

    async def status(self, text: str) -> None: ...

    async def call(self, call_id: str, name: str, arguments: Json, work: Work) -> str:
        """Do a tool's work, once, and say what it found; what fails is told and found as well."""

    async def spend(self, usage: Usage) -> None:
        """What was used since the last time."""

    async def keep(self, state: Json) -> None:
        """A step is finished: what was said so far stays, and the next attempt begins here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What an agent is asked, and what it has to answer it with."""

    agent: Agent
    prompt: str
    history: Sequence[Turn] = ()
    tools: Mapping[str, Tool] = field(default_factory=dict)
    # What the sender added to the question.
    metadata: Json = field(default_factory=dict)
    # What this backend kept at the last step that was finished; None at the beginning.
    state: Json | None = None


class Backend(Protocol):
    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        """Raises BackendFailed, or BackendUnavailable where to try again may help."""
