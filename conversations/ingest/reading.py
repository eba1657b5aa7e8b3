"""JSON as it comes from outside: anything that parses is made fit to be stored."""

import json
import math
import re
from typing import Any

from pydantic_core import from_json

DEEPEST = 100
LARGEST = 2**63 - 1
LONGEST_INTEGER = 40
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Only a body with such an escape can hold a NUL or a surrogate: UTF-8 itself has no surrogates,
# and a bare control character is no JSON.
_SUSPECT = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
# What was parsed is exactly of these types, and to ask this way is three times as quick.
_DEEPER = frozenset({dict, list})
_UNFIT = re.compile("[\0\ud800-\udfff]")


class InvalidJSON(Exception):
    """Invalid JSON"""


def read_json(body: bytes) -> Any:
    """Parse; U+0000 and lone surrogates become U+FFFD, numbers too large for a float infinity."""
    value = _parsed(body)
    if _may_be_deep(body) and _is_deep(value):
        raise _too_deep()
    return _fit(value) if _SUSPECT.search(body) else value


def read_items(body: bytes) -> list[Any]:
    """The same of each item of an array; one that is too deep stands as what is wrong with it."""
    items = _parsed(body)
    if not isinstance(items, list):
        raise InvalidJSON("a batch is a JSON array, or one event a line")
    if _may_be_deep(body):
        items = [_too_deep() if _is_deep(item) else item for item in items]
    return [_fit(item) for item in items] if _SUSPECT.search(body) else items


def _parsed(body: bytes) -> Any:
    try:
        # A third of the time that Python's own takes.
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return _parsed_with_care(body)


def _parsed_with_care(body: bytes) -> Any:
    """What the quick parser refuses may have lone surrogates, or say what is wrong with it."""
    try:
        return json.loads(
            body.decode("utf-8-sig"),
            parse_int=_integer,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"the body is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise InvalidJSON("nested too deeply") from error
    except ValueError as error:
        raise InvalidJSON(str(error)) from error


def storable(value: Any) -> Any:
    """The value without numbers that JSON columns cannot hold."""
    if isinstance(value, dict):
        return {name: storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _integer(digits: str) -> int | float:
    # Python refuses to read thousands of digits, and nothing here could hold them.
    return int(digits) if len(digits) <= LONGEST_INTEGER else math.inf


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _too_deep() -> InvalidJSON:
    return InvalidJSON(f"nested more than {DEEPEST} levels deep")


def _may_be_deep(body: bytes) -> bool:
    return body.count(b"[") + body.count(b"{") > DEEPEST


def _is_deep(value: Any) -> bool:
    level = [value] if type(value) in _DEEPER else []
    for _ in range(DEEPEST - 1):
        if not level:
            break
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if type(item) in _DEEPER
        ]
    return any(level)


def _fit(value: Any) -> Any:
    if isinstance(value, str):
        return _UNFIT.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {_fit(name): _fit(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_fit(item) for item in value]
    return value
