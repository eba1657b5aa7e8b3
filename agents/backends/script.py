"""What a script is made of, and how one is read."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.backends.base import Json, TodoStatus
from agents.errors import BackendFailed

MOST_STEPS = 100_000
LONGEST_WAIT_MS = 10 * 60 * 1000
Milliseconds = Annotated[float, Field(ge=0, le=LONGEST_WAIT_MS)]


class Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Say(Step):
    say: str
    # Told in so many pieces, of about the same length, one every so often.
    pieces: int = Field(1, ge=1)
    every_ms: Milliseconds = 0


class Think(Step):
    think: str
    pieces: int = Field(1, ge=1)
    every_ms: Milliseconds = 0


class PlanItem(Step):
    id: str = ""
    text: str
    status: TodoStatus = "pending"


class Plan(Step):
    plan: list[PlanItem]


class UseTool(Step):
    """A tool that is only played, where there is a result; else one that the agent really has."""

    tool: str
    args: Json = Field(default_factory=dict)
    ms: Milliseconds = 0
    result: str | None = None
    summary: str = ""
    fails: bool = False


class Status(Step):
    status: str


class Wait(Step):
    wait_ms: Milliseconds


class Counts(Step):
    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    cache_read_tokens: int = Field(0, ge=0)
    cache_write_tokens: int = Field(0, ge=0)
    requests: int = Field(1, ge=0)
    cost: Decimal = Field(Decimal(0), ge=0)
    is_estimated: bool = False


class Spend(Step):
    usage: Counts


class Fail(Step):
    fail: str


class BeUnavailable(Step):
    """As a vendor that is overloaded: so many times, and then no more."""

    unavailable: str
    times: int = Field(1, ge=1)
    retry_after_s: float | None = Field(None, ge=0)


class Repeat(Step):
    repeat: int = Field(ge=0, le=MOST_STEPS)
    steps: list[Any]


# A step is known by the field that only it has.
KINDS: dict[str, type[Step]] = {
    "say": Say,
    "think": Think,
    "plan": Plan,
    "tool": UseTool,
    "status": Status,
    "wait_ms": Wait,
    "usage": Spend,
    "fail": Fail,
    "unavailable": BeUnavailable,
    "repeat": Repeat,
}


def read_script(written: object, place: str) -> list[Step]:
    """The steps in order, repeats written out. Raises BackendFailed with the path."""
    steps: list[Step] = []
    for step in _steps(written, place):
        steps.append(step)
        if len(steps) > MOST_STEPS:
            raise BackendFailed(f"{place}: a script has at most {MOST_STEPS:,} steps")
    return steps


def _steps(written: object, place: str) -> Iterator[Step]:
    if not isinstance(written, list):
        raise BackendFailed(f"{place}: should be a list of steps")
    for number, one in enumerate(written):
        step = _step(one, f"{place}.{number}")
        if isinstance(step, Repeat):
            inside = read_script(step.steps, f"{place}.{number}.steps")
            for _ in range(step.repeat if inside else 0):
                yield from inside
        else:
            yield step


def _step(written: object, place: str) -> Step:
    kinds: Sequence[str] = [kind for kind in KINDS if isinstance(written, dict) and kind in written]
    if len(kinds) != 1:
        raise BackendFailed(f"{place}: should have one of {', '.join(KINDS)}")
    try:
        return KINDS[kinds[0]].model_validate(written)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join([place, *map(str, first["loc"])])
        raise BackendFailed(f"{where}: {first['msg']}") from error
