"""A graph of nodes, as LangGraph has them, that shows itself in AgentPipe while it runs.

    python outside_graph.py http://127.0.0.1:8000 [KEY]

A key is needed unless the server runs in local mode on this machine.
"""

import json
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

State = dict[str, Any]
Node = Callable[[State], State]


class Watched:
    """Tells of a graph's run: before each node, after it, and at the end."""

    def __init__(self, url: str, key: str | None, name: str) -> None:
        self.address = f"{url}/api/projects/default/events"
        self.key = key
        self.name = name
        self.run_id = f"{name}-{uuid.uuid4().hex[:8]}"

    def tell(self, *events: State) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        body = json.dumps(events).encode()
        with urlopen(Request(self.address, body, headers)) as answer:  # noqa: S310
            answer.read()

    def run(self, status: str, **more: Any) -> State:
        told = {"id": self.run_id, "workflow": self.name, "status": status, **more}
        return {"type": "workflow.run.updated", "workflow": told}

    def node(self, name: str, state: str, **more: Any) -> State:
        told = {"id": name, "runId": self.run_id, "state": state, "kind": "agent", **more}
        return {"type": "workflow.node_state.updated", "node": told}


def invoke(nodes: dict[str, Node], state: State, watched: Watched) -> State:
    """Carry the nodes out in order; where LangGraph does it, tell in `graph.stream(…)`'s loop."""
    pending = [watched.node(name, "pending") for name in nodes]
    watched.tell(watched.run("running", input=state), *pending)
    for name, node in nodes.items():
        watched.tell(watched.node(name, "running", attempt=1))
        try:
            changes = node(state)
        except Exception as error:
            watched.tell(watched.node(name, "failed", error=str(error)), watched.run("failed"))
            raise
        state = {**state, **changes}
        watched.tell(watched.node(name, "completed", output=changes, summary=str(changes)[:200]))
    watched.tell(watched.run("completed", output=state))
    return state


def research(state: State) -> State:
    time.sleep(0.1)
    return {"facts": ["stone is heavy", "steel is light"]}


def draft(state: State) -> State:
    time.sleep(0.1)
    return {"draft": f"{state['topic']}: {' and '.join(state['facts'])}."}


def review(state: State) -> State:
    time.sleep(0.1)
    return {"approved": len(state["draft"]) < 200}


if __name__ == "__main__":
    url, key = sys.argv[1].rstrip("/"), (sys.argv[2] if len(sys.argv) > 2 else None)
    graph: dict[str, Node] = {"research": research, "draft": draft, "review": review}
    watched = Watched(url, key, "tower-report")
    result = invoke(graph, {"topic": "Towers"}, watched)
    print(watched.run_id, json.dumps(result))  # noqa: T201
