"""The comparisons of a branch: data, and nothing that is evaluated."""

import operator
from collections.abc import Callable
from typing import Any

from workflows.definition import BranchNode, Case
from workflows.errors import NodeFailed

ORDERS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "at_least": (operator.ge, "at least"),
    "at_most": (operator.le, "at most"),
    "more_than": (operator.gt, "more than"),
    "less_than": (operator.lt, "less than"),
}


def way_of(node: BranchNode, value: Any) -> tuple[list[str], str]:
    """The nodes to go to from here, and why. Raises NodeFailed where nothing can be compared."""
    for case in node.cases:
        if holds(case, value):
            name, wanted = case.comparison
            return list(case.then), f"{name.replace('_', ' ')} {_short(wanted)}"
    return list(node.otherwise), "otherwise"


def holds(case: Case, value: Any) -> bool:
    name, wanted = case.comparison
    if name in ORDERS:
        compare, words = ORDERS[name]
        return compare(_number(value, f"{words} {wanted:g}"), wanted)
    match name:
        case "equals":
            return _same(value, wanted)
        case "differs":
            return not _same(value, wanted)
        case "contains":
            return _contains(value, wanted)
        case "one_of":
            return any(_same(value, one) for one in wanted)
        case "is_empty":
            return (value in (None, "") or value == [] or value == {}) is wanted
        case _:
            raise AssertionError(name)


def _number(value: Any, words: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NodeFailed(f"{_short(value)} is not a number, and cannot be {words}")
    return value


def _same(one: Any, other: Any) -> bool:
    # For JSON, true is not 1.
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted in value
    if isinstance(value, list):
        return any(_same(one, wanted) for one in value)
    if isinstance(value, dict):
        return isinstance(wanted, str) and wanted in value
    return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
