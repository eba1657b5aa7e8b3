"""The nodes of a run as its page shows them."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from workflows.checking import parsed
from workflows.graph import Graph
from workflows.models import NodeState, WorkflowRun

LONGEST_SHOWN = 20_000
ITEMS_SHOWN = 100
SAFE = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
WORDS = {
    "pending": "Pending",
    "queued": "Queued",
    "running": "Running",
    "waiting": "Waiting",
    "completed": "Done",
    "failed": "Failed",
    "skipped": "Skipped",
    "cancelled": "Cancelled",
}
KINDS = {
    "agent": "Agent",
    "tool": "Tool",
    "map": "For each",
    "branch": "Branch",
    "approval": "Approval",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    state: NodeState
    # What of the graph leads here, where there is one.
    needs: list[str] = field(default_factory=list)
    items: list["Panel"] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """What frameworks outside call their nodes is not fit for every address."""
        name = self.state.node_id
        return name if SAFE.fullmatch(name) else str(self.state.pk)

    @property
    def title(self) -> str:
        return self.state.title or self.state.node_id.replace("_", " ")

    @property
    def kind(self) -> str:
        return KINDS.get(self.state.kind, self.state.kind.capitalize())

    @property
    def words(self) -> str:
        if self.state.due_at is not None:
            return "Trying again"
        return WORDS[self.state.state]

    @property
    def took(self) -> str:
        """So long it took, or takes so far."""
        if self.state.started_at is None or self.state.kind in ("branch", ""):
            return ""
        until = self.state.finished_at or timezone.now()
        seconds = (until - self.state.started_at).total_seconds()
        if seconds < 60:
            return f"{seconds:.1f} s"
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"

    @property
    def question(self) -> str:
        asked = self.state.input
        return asked.get("question", "") if isinstance(asked, dict) else ""

    @property
    def given(self) -> str:
        asked = self.state.input
        if not isinstance(asked, dict) or self.state.kind == "approval":
            return ""
        if set(asked) == {"arguments"}:
            asked = asked["arguments"]
        return _shown(asked) if asked else ""

    @property
    def output(self) -> str:
        return _shown(self.state.output)

    @property
    def done(self) -> int:
        return sum(item.state.is_finished for item in self.items)


def panels_of(run: WorkflowRun) -> list[Panel]:
    """In the order in which they were written down."""
    needs: Mapping[str, set[str]] = {}
    if run.definition is not None:
        needs = Graph(parsed(run.definition).nodes).needs
    states = list(run.nodes.select_related("agent_run").defer(*UNREAD))
    items: dict[str, list[Panel]] = defaultdict(list)
    for state in states:
        if state.item is not None:
            items[state.node_id].append(Panel(state=state))
    return [
        Panel(
            state=state,
            needs=sorted(needs.get(state.node_id, ())),
            items=items[state.node_id][:ITEMS_SHOWN],
        )
        for state in states
        if state.item is None
    ]


UNREAD = ("agent_run__prompt", "agent_run__output", "agent_run__metadata")


def _shown(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"text"}:
        value = value["text"]
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
