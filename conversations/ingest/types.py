"""Field types of both dialects: numbers as JSON has them, times as clients write them."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, StrictStr
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import (
    int_schema,
    no_info_plain_validator_function,
    str_schema,
    union_schema,
    with_default_schema,
)

from conversations.ingest.reading import LARGEST, storable

LARGEST_COST = 10**15
COST_PLACES = Decimal("1e-12")

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:?\d\d)?", re.ASCII
)

_STRICT_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)


def parse_time(value: object) -> datetime:
    """ISO 8601 with up to nine fractional digits, six of them kept; without offset it is UTC."""
    if isinstance(value, str) and _STRICT_TIME.fullmatch(value):
        return _moment(value)
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise PydanticCustomError("invalid_time", "Expected an ISO 8601 date and time")
    date, clock, fraction, offset = found.groups()
    fraction = (fraction or "").ljust(6, "0")[:6]
    offset = "+00:00" if not offset or offset in "Zz" else offset
    clock = clock if clock.count(":") == 2 else f"{clock}:00"
    return _moment(f"{date}T{clock}.{fraction}{offset}")


def strict_time(value: object) -> datetime:
    """The same as RFC 3339 has it: with seconds, and with an offset."""
    if not isinstance(value, str) or not _STRICT_TIME.fullmatch(value):
        raise PydanticCustomError(
            "invalid_time", "Expected an ISO 8601 date and time with an offset, such as Z"
        )
    return _moment(value)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PydanticCustomError("invalid_time", "There is no such date and time") from error


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("invalid_type", "Expected a number")
    return value


def _integer(value: object) -> int:
    if type(value) is int:
        return value
    number = _number(value)
    if isinstance(number, float):
        if not math.isfinite(number):
            raise PydanticCustomError("too_big", f"Number must be at most {LARGEST}")
        if not number.is_integer():
            raise PydanticCustomError("invalid_type", "Expected an integer")
    return int(number)


def _cost(value: object) -> Decimal:
    number = _number(value)
    if number < 0:
        raise PydanticCustomError("too_small", "Number must be at least 0")
    if not number <= LARGEST_COST:
        raise PydanticCustomError("too_big", f"Number must be at most {LARGEST_COST}")
    return Decimal(repr(number)).quantize(COST_PLACES)


def _long(value: object) -> int | None:
    number = _integer(value)
    return number if -LARGEST - 1 <= number <= LARGEST else None


def _object(value: object) -> dict[str, Any] | None:
    return storable(value) if isinstance(value, dict) else None


# The strict types of the camelCase dialect

Text = StrictStr
Time = Annotated[datetime, BeforeValidator(strict_time)]
# The bounds come first: pydantic then compares by itself, and not by a function in Python.
Whole = Annotated[int, Field(ge=0, le=LARGEST), BeforeValidator(_integer)]
Positive = Annotated[int, Field(gt=0, le=LARGEST), BeforeValidator(_integer)]
Cost = Annotated[Decimal, BeforeValidator(_cost)]
# In front of bounds, where text that looks like a number is none.
Number = BeforeValidator(_number)
Object = Annotated[dict[str, Any], BeforeValidator(lambda value: storable(value))]

# The forgiving types of the snake_case dialect: what does not fit is absent, never refused


@dataclass(frozen=True, slots=True)
class OrAbsent:
    """In pydantic's own terms: it calls no function of ours for what fits."""

    schema: CoreSchema

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return with_default_schema(self.schema, default=None, on_error="default")


MaybeText = Annotated[str | None, OrAbsent(str_schema(strict=True))]
MaybeTime = Annotated[datetime | None, OrAbsent(no_info_plain_validator_function(parse_time))]
MaybeLong = Annotated[
    int | None,
    OrAbsent(
        union_schema(
            [
                int_schema(strict=True, ge=-LARGEST - 1, le=LARGEST),
                no_info_plain_validator_function(_long),
            ],
            mode="left_to_right",
        )
    ),
]
MaybeCost = Annotated[Decimal | None, OrAbsent(no_info_plain_validator_function(_cost))]
MaybeObject = Annotated[dict[str, Any] | None, BeforeValidator(_object)]
