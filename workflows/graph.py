"""The order of a definition's nodes: what each needs, and what comes after it."""

from collections.abc import Sequence
from functools import cached_property
from graphlib import TopologicalSorter
from typing import assert_never

from workflows.definition import (
    AgentNode,
    AnyNode,
    ApprovalNode,
    BranchNode,
    Json,
    MapNode,
    ToolNode,
)
from workflows.references import references_in


class Graph:
    """Raises graphlib.CycleError where nodes need each other."""

    def __init__(self, nodes: Sequence[AnyNode]) -> None:
        self.nodes = {node.id: node for node in nodes}
        # The branches that decide whether a node is gone to.
        self.branches: dict[str, set[str]] = {node.id: set() for node in nodes}
        for node in nodes:
            for target in targets_of(node):
                self.branches[target].add(node.id)
        self.needs = {
            node.id: {*node.needs, *mentioned_by(node), *self.branches[node.id]} for node in nodes
        }
        self.order = list(TopologicalSorter(self.needs).static_order())

    @cached_property
    def layers(self) -> list[list[str]]:
        """Nodes as far from the beginning as the longest way to them."""
        depth: dict[str, int] = {}
        for node_id in self.order:
            depth[node_id] = 1 + max((depth[need] for need in self.needs[node_id]), default=-1)
        layers: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
        for node_id in self.nodes:
            layers[depth[node_id]].append(node_id)
        return layers

    @cached_property
    def last(self) -> list[str]:
        """Nodes that no other needs."""
        needed = set().union(*self.needs.values())
        return [node_id for node_id in self.nodes if node_id not in needed]

    def from_here(self, node_id: str) -> set[str]:
        """The node and all that comes after it."""
        found = {node_id}
        for other in self.order:
            if self.needs[other] & found:
                found.add(other)
        return found


def targets_of(node: AnyNode) -> list[str]:
    if not isinstance(node, BranchNode):
        return []
    return [*(target for case in node.cases for target in case.then), *node.otherwise]


def mentioned_by(node: AnyNode) -> set[str]:
    """The nodes to whose output this one refers."""
    found = {reference.node_id for reference in references_in(asked_of(node))}
    return {node_id for node_id in found if node_id is not None}


def asked_of(node: AnyNode) -> Json:
    """The parts of a node that may refer to something."""
    match node:
        case AgentNode():
            return {"prompt": node.prompt, "metadata": node.metadata}
        case ToolNode():
            return {"arguments": node.arguments}
        case MapNode():
            return {"over": node.over, "each": node.each.model_dump()}
        case BranchNode():
            return {"on": node.on}
        case ApprovalNode():
            return {"question": node.question}
        case _:
            assert_never(node)
