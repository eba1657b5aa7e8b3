"""Whether a definition makes sense: every fault with its path, before anything of it runs."""

from collections.abc import Iterator
from graphlib import CycleError
from typing import Any

from pydantic import ValidationError

from agents import roster
from agents.errors import AgentNotFound
from conversations.ingest.dispatch import detail
from workflows.definition import (
    EACH_KINDS,
    KINDS,
    AnyNode,
    AskAgent,
    BranchNode,
    Definition,
    Each,
    EachTool,
    Input,
    Json,
    MapNode,
    Node,
    Outline,
    UseTool,
)
from workflows.errors import Fault, Invalid
from workflows.graph import Graph, asked_of
from workflows.references import ROOTS, RUN_FACTS, Path, Reference, has_reference, references_in
from workflows.tools import tools

# Stands for the part of a map that has faults of its own, while the others are looked for.
ANYTHING = EachTool(kind="tool", tool="")
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}


def read_definition(given: Any) -> Definition:
    """Raises Invalid."""
    definition = parsed(given)
    nodes = list(definition.nodes)
    faults = [*_of_inputs(definition.inputs), *_of_names(nodes)]
    if faults:
        raise Invalid(faults)
    faults = [*_of_graph(nodes), *_of_references(definition)]
    for place, node in enumerate(nodes):
        faults += _of_work(node, ["nodes", place])
    if faults:
        raise Invalid(faults)
    return definition


def parsed(given: Any) -> Definition:
    """All parts have their types; whether they fit together is not asked. Raises Invalid."""
    outline = _outline(given)
    nodes: list[AnyNode] = []
    faults: list[Fault] = []
    for place, one in enumerate(outline.nodes):
        try:
            nodes.append(_node(one, ["nodes", place]))
        except Invalid as error:
            faults += error.faults
    if faults:
        raise Invalid(faults)
    return Definition(
        name=outline.name,
        title=outline.title,
        description=outline.description,
        inputs=outline.inputs,
        nodes=tuple(nodes),
        output=outline.output,
    )


def read_input(definition: Definition, given: Json) -> Json:
    """What a run is given, with what it is given by default. Raises Invalid."""
    faults: list[Fault] = [
        (["input", name], "The workflow has no such input", "unrecognized_keys")
        for name in given
        if name not in definition.inputs
    ]
    read: Json = {}
    for name, wanted in definition.inputs.items():
        value = given.get(name)
        if value is None:
            value = wanted.default
        if value is None:
            if wanted.is_required:
                faults.append((["input", name], "Required", "required"))
        elif not _is_of(wanted, value):
            faults.append((["input", name], f"Expected {_article(wanted.type)}", "invalid_type"))
        read[name] = value
    if faults:
        raise Invalid(faults)
    return read


def _outline(given: Any) -> Outline:
    try:
        return Outline.model_validate(given)
    except ValidationError as error:
        raise Invalid([detail(fault) for fault in error.errors(include_url=False)]) from error


def _node(given: Json, path: list[str | int]) -> AnyNode:
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Invalid([_no_kind(given, KINDS, path)])
    faults: list[Fault] = []
    if kind == "map" and isinstance(given.get("each"), dict):
        try:
            given = {**given, "each": _each(given["each"], [*path, "each"])}
        except Invalid as error:
            faults += error.faults
            given = {**given, "each": ANYTHING}
    elif kind == "map" and "each" in given:
        faults.append(([*path, "each"], "Expected an object", "invalid_type"))
        given = {**given, "each": ANYTHING}
    node = _read(KINDS[kind], given, path, faults)
    if faults:
        raise Invalid(faults)
    return node  # type: ignore[no-any-return]


def _each(given: Json, path: list[str | int]) -> Each:
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in EACH_KINDS:
        raise Invalid([_no_kind(given, EACH_KINDS, path)])
    faults: list[Fault] = []
    each = _read(EACH_KINDS[kind], given, path, faults)
    if faults:
        raise Invalid(faults)
    return each  # type: ignore[no-any-return]


def _read(model: Any, given: Json, path: list[str | int], faults: list[Fault]) -> Any:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            place, message, code = detail(fault)
            faults.append(([*path, *place], message, code))


def _no_kind(given: Json, kinds: dict[str, Any], path: list[str | int]) -> Fault:
    if "kind" not in given:
        return [*path, "kind"], "Required", "required"
    return [*path, "kind"], f"The kinds are {', '.join(kinds)}", "invalid_enum_value"


def _of_inputs(inputs: dict[str, Input]) -> Iterator[Fault]:
    for name, wanted in inputs.items():
        if wanted.default is not None and not _is_of(wanted, wanted.default):
            path: list[str | int] = ["inputs", name, "default"]
            yield path, f"Expected {_article(wanted.type)}", "invalid_type"


def _is_of(wanted: Input, value: Any) -> bool:
    if wanted.type == "any":
        return True
    if isinstance(value, bool):
        return wanted.type == "boolean"
    return isinstance(value, TYPES[wanted.type])


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aio' else 'a'} {name}"


def _of_names(nodes: list[AnyNode]) -> Iterator[Fault]:
    """Nodes by the names of which others are meant: each has one, and there are no others."""
    known: set[str] = set()
    for place, node in enumerate(nodes):
        if node.id in known:
            yield ["nodes", place, "id"], f"There are two nodes {node.id}", "duplicate"
        known.add(node.id)
    for place, node in enumerate(nodes):
        for path, name in _named_by(node):
            if name not in known:
                yield ["nodes", place, *path], f"There is no node {name}", "unknown_node"


def _named_by(node: AnyNode) -> Iterator[tuple[Path, str]]:
    for place, name in enumerate(node.needs):
        yield ("needs", place), name
    if isinstance(node, BranchNode):
        for number, case in enumerate(node.cases):
            for place, name in enumerate(case.then):
                yield ("cases", number, "then", place), name
        for place, name in enumerate(node.otherwise):
            yield ("otherwise", place), name


def _of_graph(nodes: list[AnyNode]) -> Iterator[Fault]:
    ids = [node.id for node in nodes]
    try:
        Graph(nodes)
    except CycleError as error:
        # Each with what it needs behind it, around from the one that is written first.
        *cycle, _ = reversed(error.args[1])
        first = min(range(len(cycle)), key=lambda place: ids.index(cycle[place]))
        around = [*cycle[first:], *cycle[:first], cycle[first]]
        yield ["nodes", ids.index(cycle[first])], f"A cycle: {' → '.join(around)}", "cycle"


def _of_references(definition: Definition) -> Iterator[Fault]:
    check = _ReferenceCheck(
        inputs=set(definition.inputs), nodes={node.id for node in definition.nodes}
    )
    for place, node in enumerate(definition.nodes):
        path: Path = ("nodes", place)
        for reference in references_in(asked_of(node), path):
            is_of_item = isinstance(node, MapNode) and reference.path[2] == "each"
            yield from check(reference, is_of_item=is_of_item)
        if isinstance(node, BranchNode):
            for reference in references_in([case.model_dump() for case in node.cases]):
                where = [*path, "cases", *reference.path]
                yield where, "Refer to what is compared in `on`, not here", "invalid_reference"
    for reference in references_in(definition.output, ("output",)):
        yield from check(reference, is_of_item=False)


class _ReferenceCheck:
    def __init__(self, *, inputs: set[str], nodes: set[str]) -> None:
        self.inputs = inputs
        self.nodes = nodes

    def __call__(self, reference: Reference, *, is_of_item: bool) -> Iterator[Fault]:
        message = self._complaint(reference, is_of_item)
        if message:
            yield (
                list(reference.path),
                f"{{{{ {reference.written} }}}}: {message}",
                "invalid_reference",
            )

    def _complaint(self, reference: Reference, is_of_item: bool) -> str:
        if not reference.is_well_formed:
            return "a reference is a path such as nodes.draft.output.text"
        root, *steps = reference.steps
        if root not in ROOTS:
            return f"a reference begins with {', '.join(ROOTS)}"
        if root in ("item", "index"):
            return "" if is_of_item else f"there is no {root} outside `each` of a map"
        if root == "input" and steps and steps[0] not in self.inputs:
            return f"there is no input {steps[0]}"
        if root == "run" and (len(steps) != 1 or steps[0] not in RUN_FACTS):
            return f"of the run there is {', '.join(RUN_FACTS)}"
        if root == "nodes":
            if not steps or steps[0] not in self.nodes:
                return f"there is no node {steps[0]}" if steps else "of which node?"
            if steps[1:2] != ["output"]:
                return f"of a node there is its output: nodes.{steps[0]}.output"
        return ""


def _of_work(node: Node, path: list[str | int]) -> Iterator[Fault]:
    """Agents that there are, and tools, and what these are called with."""
    work: object = node
    if isinstance(node, MapNode):
        work, path = node.each, [*path, "each"]
        if not isinstance(node.over, list) and not has_reference(node.over):
            yield [*path[:-1], "over"], "Expected a list, or a reference to one", "invalid_type"
    if isinstance(work, AskAgent):
        try:
            roster.agent_named(work.agent)
        except AgentNotFound:
            yield [*path, "agent"], f"There is no agent {work.agent}", "unknown_agent"
    if isinstance(work, UseTool):
        yield from _of_tool(work, path)


def _of_tool(work: UseTool, path: list[str | int]) -> Iterator[Fault]:
    tool = tools().get(work.tool)
    if tool is None:
        yield [*path, "tool"], f"There is no tool {work.tool}", "unknown_tool"
        return
    try:
        tool.reads.model_validate(work.arguments)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            # What refers to something is known when it is called, and looked at again then.
            if not has_reference(_at(work.arguments, fault["loc"])):
                place, message, code = detail(fault)
                yield [*path, "arguments", *place], message, code


def _at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
