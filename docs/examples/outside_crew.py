"""A crew of agents, as CrewAI has them, that shows itself in AgentPipe while it works.

    python outside_crew.py http://127.0.0.1:8000 [KEY]

A key is needed unless the server runs in local mode on this machine.
"""

import json
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request, urlopen

Event = dict[str, Any]


@dataclass
class Agent:
    role: str
    tasks: list[str]
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def do(self, task: str) -> str:
        time.sleep(0.1)
        return f"{task}: done"


class Told:
    """What CrewAI's callbacks would call: `step_callback`, `task_callback` and the end."""

    def __init__(self, url: str, key: str | None) -> None:
        self.address = f"{url}/api/projects/default/events"
        self.key = key

    def began(self, agent: Agent) -> None:
        run = {"id": agent.run_id, "agentId": agent.role, "prompt": "; ".join(agent.tasks)}
        self._tell(
            {"type": "agent.run.created", "run": run},
            {"type": "agent.run.updated", "run": {**run, "status": "running"}},
        )

    def task(self, agent: Agent, number: int, result: str | None = None) -> None:
        step = {
            "id": f"task-{number}",
            "runId": agent.run_id,
            "agentId": agent.role,
            "name": agent.tasks[number],
            "status": "running" if result is None else "ok",
        }
        done = number + (result is not None)
        progress = {
            "agentId": agent.role,
            "runId": agent.run_id,
            "percentage": 100 * done / len(agent.tasks),
            "currentStep": min(done + 1, len(agent.tasks)),
            "totalSteps": len(agent.tasks),
            "content": result or "",
        }
        self._tell(
            {"type": "agent.step.updated", "step": {**step, "result": result or ""}},
            {"type": "agent.progress", "progress": progress},
        )

    def ended(self, agent: Agent, results: list[str]) -> None:
        run = {"id": agent.run_id, "agentId": agent.role, "output": "\n".join(results)}
        self._tell({"type": "agent.run.completed", "run": run})

    def _tell(self, *events: Event) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        body = json.dumps(events).encode()
        with urlopen(Request(self.address, body, headers)) as answer:  # noqa: S310
            answer.read()


def kickoff(crew: list[Agent], told: Told) -> None:
    for agent in crew:
        told.began(agent)
    for agent in crew:
        results: list[str] = []
        for number, task in enumerate(agent.tasks):
            told.task(agent, number)
            results.append(agent.do(task))
            told.task(agent, number, results[-1])
        told.ended(agent, results)


if __name__ == "__main__":
    url, key = sys.argv[1].rstrip("/"), (sys.argv[2] if len(sys.argv) > 2 else None)
    crew = [
        Agent("researcher", ["find towers", "compare stone and steel"]),
        Agent("writer", ["write the report"]),
    ]
    kickoff(crew, Told(url, key))
    print(" ".join(agent.run_id for agent in crew))  # noqa: T201
