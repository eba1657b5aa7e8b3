"""References to what is known in a run: `{{ nodes.draft.output.text }}`.

A text that is nothing but one reference stands for the value itself, of whatever type; in a longer
text the value is written where the reference stood. What was put in is never read again, so that
nothing an agent says can refer to anything.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.errors import NodeFailed

REFERENCE = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
STEPS = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*", re.ASCII)
ROOTS = ("input", "nodes", "item", "index", "run")
RUN_FACTS = ("id", "workflow", "startedBy")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """Where it stands in a definition, and what it says."""

    path: Path
    written: str

    @property
    def steps(self) -> list[str]:
        return self.written.split(".")

    @property
    def is_well_formed(self) -> bool:
        return STEPS.fullmatch(self.written) is not None

    @property
    def node_id(self) -> str | None:
        """The node that it refers to, if it does."""
        steps = self.steps
        return steps[1] if steps[0] == "nodes" and len(steps) > 1 else None


def references_in(value: Any, path: Path = ()) -> Iterator[Reference]:
    if isinstance(value, str):
        for found in REFERENCE.finditer(value):
            yield Reference(path, found[1])
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from references_in(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from references_in(inner, (*path, place))


def has_reference(value: Any) -> bool:
    return next(references_in(value), None) is not None


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """The value with everything put in that it refers to. Raises NodeFailed."""
    if isinstance(value, str):
        whole = REFERENCE.fullmatch(value)
        if whole and value.count("{{") == 1:
            return _found(whole[1], known)
        return REFERENCE.sub(_writer(known), value)
    if isinstance(value, dict):
        return {name: filled(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known) for inner in value]
    return value


def _writer(known: Mapping[str, Any]) -> Callable[[re.Match[str]], str]:
    def written(found: re.Match[str]) -> str:
        value = _found(found[1], known)
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return written


def _found(written: str, known: Mapping[str, Any]) -> Any:
    at: Any = known
    for step in written.split("."):
        if at is None:
            return None  # of a node that was skipped, or of an input that was not given
        if isinstance(at, Mapping) and step in at:
            at = at[step]
        elif isinstance(at, list) and step.isdigit() and int(step) < len(at):
            at = at[int(step)]
        else:
            raise NodeFailed(f"There is no {step} in {written}")
    return at
