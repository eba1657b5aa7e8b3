"""A run that is held, and what happens next in it.

Whoever changes a run or a node holds the run's row, so that one thing happens after the other: what
can be begun is begun in the transaction that ends what it waited for, jobs and agents included, and
no moment is between them in which a worker could die. Runs of workflows are locked before runs of
agents, these before conversations, and topics last.
"""

import json
from datetime import timedelta
from typing import Any, assert_never

from django.db.models import Count, QuerySet
from django.utils import timezone

from agents import services as agents
from agents.errors import AgentNotFound
from agents.summaries import one_line, storable
from streaming.publish import publish
from workflows import events, queue
from workflows.checking import parsed
from workflows.comparing import way_of
from workflows.definition import (
    MOST_ITEMS,
    AgentNode,
    AnyNode,
    ApprovalNode,
    AskAgent,
    BranchNode,
    Each,
    Json,
    MapNode,
    ToolNode,
    UseTool,
    Work,
)
from workflows.errors import NodeFailed, WorkflowRunNotFound
from workflows.graph import Graph, mentioned_by
from workflows.models import NodeState, WorkflowRun
from workflows.references import filled

State = NodeState.State
LARGEST_OUTPUT = 1024 * 1024
UNREAD = ("input", "output", "agent_run__prompt", "agent_run__output", "agent_run__metadata")


class Course:
    """Made inside a transaction. Raises WorkflowRunNotFound where it was deleted."""

    def __init__(self, run_id: int) -> None:
        runs = WorkflowRun.objects.select_for_update(of=("self",), no_key=True)
        run = runs.select_related("project").filter(pk=run_id).first()
        if run is None:
            raise WorkflowRunNotFound
        self.run = run
        self.definition = parsed(run.definition)
        self.graph = Graph(self.definition.nodes)
        # Without what they have come to: it is read where something refers to it.
        nodes = run.nodes.filter(item=None).select_related("agent_run").defer(*UNREAD)
        self.states = {state.node_id: state for state in nodes}

    def go_on(self) -> None:
        """Begin all that can be begun, and say how the run stands."""
        for node_id in self.graph.order:
            state = self.states[node_id]
            if state.state == State.RUNNING and state.kind == "map":
                self._fill(state)
            elif state.state == State.PENDING and self._is_ready(node_id):
                if self._is_gone_to(node_id):
                    self._open(state, self.graph.nodes[node_id])
                else:
                    self.end(state, State.SKIPPED)
        self._settle()

    def complete(self, state: NodeState, output: Any, *, summary: str = "") -> None:
        written = json.dumps(output, ensure_ascii=False, default=str)
        if len(written) > LARGEST_OUTPUT:
            self.fail(state, f"It has come to more than {LARGEST_OUTPUT // 1024} KiB")
            return
        state.output = storable(json.loads(written))
        state.summary = one_line(summary) or summary_of(state.output)
        state.error = ""
        self.end(state, State.COMPLETED)

    def fail(self, state: NodeState, error: str, *, may_retry: bool = False) -> None:
        """For good, or until its next attempt is due."""
        state.error = error
        retry = self.work_of(state).retry if may_retry else None
        if retry is None or state.attempt >= retry.attempts:
            self.end(state, State.FAILED)
            return
        state.state = State.QUEUED
        state.agent_run = None
        state.due_at = timezone.now() + timedelta(seconds=retry.wait_after(state.attempt))
        self.line_up(state)

    def line_up(self, state: NodeState) -> None:
        queue.put_in_line(state)
        self.changed(state)

    def end(self, state: NodeState, how: State) -> None:
        state.state = how
        state.due_at = None
        state.finished_at = timezone.now()
        self.changed(state)

    def begin(self, state: NodeState) -> None:
        state.state = State.RUNNING
        state.attempt += 1
        state.due_at = None
        state.started_at = state.started_at or timezone.now()

    def ask_agent(self, state: NodeState, work: AskAgent) -> None:
        """The agent's run, and that we hear of its end, are in this transaction."""
        self.begin(state)
        try:
            known = self.known_to(state)
            prompt = filled(work.prompt, known)
            asked = {"prompt": prompt if isinstance(prompt, str) else json.dumps(prompt)}
            metadata = filled(work.metadata, known)
            state.input = {**self._item_of(state), **asked, "metadata": metadata}
            state.agent_run = agents.start_run(
                self.run.project,
                agent_id=work.agent,
                prompt=asked["prompt"],
                metadata=metadata,
                then=queue.HEAR_AGENT,
            )
        except (NodeFailed, AgentNotFound) as error:
            self.fail(state, str(error))
            return
        self._limit(state, work.timeout_s)
        self.changed(state)

    def changed(self, state: NodeState) -> None:
        """Keep a node as it is now, and tell it."""
        state.save()
        publish(events.node_updated(self.run, state), self.run.project.topic, self.run.topic)

    def tell(self) -> None:
        """Keep the run as it is now, and tell it."""
        self.run.save(update_fields=["status", "error", "output", "started_at", "finished_at"])
        event = events.run_updated(self.run, self.states.values())
        publish(event, self.run.project.topic, self.run.topic)

    def known_to(self, state: NodeState) -> Json:
        """All that the node may refer to."""
        return {
            **self._known(mentioned_by(self.graph.nodes[state.node_id])),
            **self._item_of(state),
            "index": state.item,
        }

    def work_of(self, state: NodeState) -> Work:
        """What a node does that may fail and be tried again."""
        node = self.graph.nodes[state.node_id]
        work: object = node.each if isinstance(node, MapNode) else node
        return work if isinstance(work, Work) else Work()

    def _known(self, node_ids: set[str]) -> Json:
        outputs = self.run.nodes.filter(item=None, node_id__in=node_ids)
        run = self.run
        return {
            "input": run.input,
            "nodes": {
                node_id: {"output": output}
                for node_id, output in outputs.values_list("node_id", "output")
            },
            "run": {
                "id": run.public_id,
                "workflow": run.workflow_name,
                "startedBy": run.started_by,
            },
        }

    def _item_of(self, state: NodeState) -> Json:
        return {"item": state.input["item"]} if state.item is not None else {}

    def _is_ready(self, node_id: str) -> bool:
        ended = (State.COMPLETED, State.SKIPPED)
        return all(self.states[need].state in ended for need in self.graph.needs[node_id])

    def _is_gone_to(self, node_id: str) -> bool:
        """Where branches lead here, one of them has to; else something it needs must be done."""
        branches = self.graph.branches[node_id]
        if branches:
            done = [self.states[branch] for branch in branches]
            return any(
                branch.state == State.COMPLETED and node_id in branch.output["to"]
                for branch in done
            )
        needs = self.graph.needs[node_id]
        return not needs or any(self.states[need].state == State.COMPLETED for need in needs)

    def _open(self, state: NodeState, node: AnyNode) -> None:
        try:
            match node:
                case AgentNode() | ToolNode():
                    self._start(state, node)
                case BranchNode():
                    self._branch(state, node)
                case MapNode():
                    self._map(state, node)
                case ApprovalNode():
                    self._wait_for_person(state, node)
                case _:
                    assert_never(node)
        except NodeFailed as error:
            self.fail(state, str(error))

    def _start(self, state: NodeState, work: AgentNode | ToolNode | Each) -> None:
        if isinstance(work, AskAgent):
            self.ask_agent(state, work)
            return
        assert isinstance(work, UseTool)
        state.state = State.QUEUED
        self.line_up(state)

    def _branch(self, state: NodeState, node: BranchNode) -> None:
        self.begin(state)
        value = filled(node.on, self.known_to(state))
        state.input = {"on": value}
        to, because = way_of(node, value)
        summary = f"{because}: to {', '.join(to) or 'nothing'}"
        self.complete(state, {"to": to, "because": because}, summary=summary)

    def _wait_for_person(self, state: NodeState, node: ApprovalNode) -> None:
        self.begin(state)
        question = filled(node.question, self.known_to(state))
        state.input = {"question": question if isinstance(question, str) else str(question)}
        state.summary = one_line(state.input["question"])
        state.state = State.WAITING
        self._limit(state, node.timeout_s)
        self.changed(state)

    def _map(self, state: NodeState, node: MapNode) -> None:
        self.begin(state)
        items = filled(node.over, self.known_to(state))
        if not isinstance(items, list):
            raise NodeFailed(f"It maps over a list, and not over {summary_of(items)}")
        if len(items) > MOST_ITEMS:
            raise NodeFailed(f"It maps over {len(items)} items: at most {MOST_ITEMS} are possible")
        state.input = {"items": len(items)}
        NodeState.objects.bulk_create(
            NodeState(
                run=self.run,
                node_id=state.node_id,
                item=place,
                kind=node.each.kind,
                title=state.title,
                position=state.position,
                round=state.round,
                input={"item": item},
            )
            for place, item in enumerate(items)
        )
        self.changed(state)
        self._fill(state)

    def _fill(self, state: NodeState) -> None:
        """As many items at once as may be; when all have ended, so has the node."""
        node = self.graph.nodes[state.node_id]
        assert isinstance(node, MapNode)
        items = self.run.nodes.filter(node_id=state.node_id, item__isnull=False).order_by("item")
        counts = self._counts(items)
        while counts.get(State.PENDING):
            free = node.at_once - sum(counts.get(at_work, 0) for at_work in NodeState.AT_WORK)
            if free <= 0:
                return
            for item in items.filter(state=State.PENDING)[:free]:
                self._start(item, node.each)
            # What has failed at once has made room again.
            counts = self._counts(items)
        if any(counts.get(going) for going in NodeState.UNFINISHED):
            return
        failed = items.filter(state=State.FAILED).first()
        if failed is None:
            self.complete(state, list(items.values_list("output", flat=True)))
            return
        how_many = f"{counts[State.FAILED]} of {sum(counts.values())} failed"
        self.fail(state, f"{how_many}, first {failed}: {failed.error}")

    def _counts(self, items: QuerySet[NodeState]) -> dict[str, int]:
        return dict(items.order_by().values_list("state").annotate(Count("pk")))

    def _limit(self, state: NodeState, timeout_s: float | None) -> None:
        if timeout_s is not None:
            queue.look_again_at(state, timezone.now() + timedelta(seconds=timeout_s))

    def _settle(self) -> None:
        """How the run stands, by how its nodes stand; told where that is new."""
        run = self.run
        before = run.status
        standing = {state.state for state in self.states.values()}
        Status = WorkflowRun.Status
        if standing & {*NodeState.AT_WORK}:
            run.status = Status.RUNNING
        elif State.WAITING in standing:
            run.status = Status.WAITING
        elif State.FAILED in standing:
            failed = next(it for it in self.states.values() if it.state == State.FAILED)
            run.error = f"{failed.node_id}: {failed.error}"
            run.status = Status.FAILED
        else:
            self._finish()
        if run.status != before:
            run.started_at = run.started_at or timezone.now()
            run.finished_at = timezone.now() if run.is_finished else None
            self.tell()

    def _finish(self) -> None:
        run = self.run
        output = self.definition.output
        known = self._known(set(self.graph.last if output is None else self.graph.nodes))
        run.status = WorkflowRun.Status.COMPLETED
        if output is None:
            run.output = {name: node["output"] for name, node in known["nodes"].items()}
            return
        try:
            run.output = filled(output, known)
        except NodeFailed as error:
            run.status = WorkflowRun.Status.FAILED
            run.error = f"output: {error}"


def summary_of(output: Any) -> str:
    """What something has come to, on a line."""
    if isinstance(output, dict) and isinstance(output.get("text"), str):
        output = output["text"]
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    return one_line(text[:2000])
