"""What an agent's followers are told: the steps of an answer, and the life of its run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from streaming.events import iso

if TYPE_CHECKING:
    from agents.backends.base import Todo
    from agents.models import AgentRun, AgentStep, Progress
    from agents.progress import Glimpse, Report
    from conversations.models import Message

Json = dict[str, Any]

STEP_KINDS = (
    "start",
    "plan",
    "tool_start",
    "tool_end",
    "status",
    "rationale",
    "content",
    "end",
    "error",
)

RUN_KINDS = frozenset(
    {
        "agent.run.created",
        "agent.run.updated",
        "agent.run.completed",
        "agent.run.failed",
        "agent.step.updated",
        "agent.message.appended",
        "agent.progress",
        "agent.complete",
    }
)
AGENT_STREAM = ("agent.",)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvent:
    """A step of an answer, in schema v1; told on the stream of its question only."""

    kind: str
    data: Json = field(default_factory=dict)
    occurred_at: datetime = field(default_factory=timezone.now)
    is_final: bool = False
    subject: str = field(default="", init=False)

    def payload(self) -> Json:
        return self.data


def start(run: "AgentRun") -> StepEvent:
    data: Json = {"status": "processing", "run_id": run.wire_id, "agent_id": run.agent_id}
    if run.question and run.answer and run.conversation:
        data = {
            "message_id": run.question.public_id,
            "answer_id": run.answer.public_id,
            "chat_id": run.conversation.public_id,
            **data,
        }
    return StepEvent(kind="start", data=data)


def plan(items: "Sequence[Todo]") -> StepEvent:
    listed = [{"id": item.id, "text": item.text, "status": item.status} for item in items]
    return StepEvent(kind="plan", data={"items": listed})


def tool_start(call_id: str, name: str, args_summary: str) -> StepEvent:
    data = {"call_id": call_id, "name": name, "args_summary": args_summary}
    return StepEvent(kind="tool_start", data=data)


def tool_end(call_id: str, name: str, *, status: str, ms: int, result_summary: str) -> StepEvent:
    return StepEvent(
        kind="tool_end",
        data={
            "call_id": call_id,
            "name": name,
            "status": status,
            "ms": ms,
            "result_summary": result_summary,
        },
    )


def status(text: str) -> StepEvent:
    return StepEvent(kind="status", data={"text": text})


def reset(text: str) -> StepEvent:
    """The answer starts over: what was told of it so far no longer counts."""
    return StepEvent(kind="status", data={"text": text, "reset": True})


def rationale(text: str) -> StepEvent:
    return StepEvent(kind="rationale", data={"text": text})


def content(md: str) -> StepEvent:
    return StepEvent(kind="content", data={"md": md})


def error(message: str) -> StepEvent:
    return StepEvent(kind="error", data={"error": message})


def end(run: "AgentRun") -> StepEvent:
    return StepEvent(
        kind="end",
        is_final=True,
        data={
            "status": {"failed": "error"}.get(run.status, run.status),
            "ms_total": duration_ms(run),
            "tool_calls": run.tool_calls,
            "usage": usage_shape(run),
        },
    )


def gone() -> StepEvent:
    """The end of an answer whose chat was deleted."""
    return StepEvent(kind="end", is_final=True, data={"status": "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent:
    """What becomes of a run, for those who follow its project or conversation."""

    kind: str
    # The key of the family, and what stands under it.
    family: str
    shape: Json
    subject: str
    occurred_at: datetime = field(default_factory=timezone.now)
    is_final: bool = field(default=False, init=False)

    def payload(self) -> Json:
        return {self.family: self.shape}


def run_event(run: "AgentRun", what: str) -> AgentEvent:
    """`what` is created, updated, completed or failed."""
    return AgentEvent(
        kind=f"agent.run.{what}", family="run", shape=run_shape(run), subject=run.agent_id
    )


def step_updated(run: "AgentRun", step: "AgentStep") -> AgentEvent:
    return AgentEvent(
        kind="agent.step.updated", family="step", shape=step_shape(run, step), subject=run.agent_id
    )


def message_appended(run: "AgentRun", message: "Message", shape: Json) -> AgentEvent:
    return AgentEvent(
        kind="agent.message.appended",
        family="message",
        shape={**shape, "runId": run.wire_id},
        subject=run.agent_id,
        occurred_at=message.timestamp,
    )


def progress(row: "Progress | Glimpse", report: "Report", whole: Json) -> AgentEvent:
    """`whole` is where its project stands with it, if that is known."""
    return _of_progress("agent.progress", row, report, whole)


def complete(row: "Progress | Glimpse", report: "Report", whole: Json) -> AgentEvent:
    return _of_progress("agent.complete", row, report, whole)


def _of_progress(kind: str, row: "Progress | Glimpse", report: "Report", whole: Json) -> AgentEvent:
    shape = {
        **progress_shape(row),
        "progress": plain(row.percentage),
        "runId": report.run.wire_id if report.run else None,
        "content": report.content or None,
        "reasoning": report.reasoning or None,
        "confidence": report.confidence,
        **whole,
    }
    return AgentEvent(
        kind=kind,
        family="progress",
        shape=shape,
        subject=row.agent_id,
        occurred_at=report.at,
    )


def progress_shape(row: "Progress | Glimpse") -> Json:
    return {
        "agentId": row.agent_id,
        "status": row.status,
        "percentage": plain(row.percentage),
        "currentStep": row.current_step,
        "totalSteps": row.total_steps,
        "estimatedTimeRemaining": None if row.remaining_s is None else plain(row.remaining_s),
        "tokensUsed": row.tokens_used,
        "cost": float(row.cost),
        "lastUpdated": iso(row.updated_at),
    }


def plain(number: float) -> float:
    """With two places at most, and with none where it is whole."""
    rounded = round(number, 2)
    return int(rounded) if rounded == int(rounded) else rounded


def duration_ms(run: "AgentRun") -> int:
    end_at = run.finished_at or timezone.now()
    # A clock that was set back must not make it less than nothing.
    return max(0, round((end_at - run.created_at).total_seconds() * 1000))


def usage_shape(run: "AgentRun") -> Json:
    return {
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "total_tokens": run.input_tokens + run.output_tokens,
        "cost": float(run.cost),
        "is_estimated": run.is_estimated,
    }


def run_shape(run: "AgentRun") -> Json:
    return {
        "id": run.wire_id,
        "projectId": run.project.slug,
        "agentId": run.agent_id,
        "agentName": run.agent_name,
        "model": run.model or None,
        "conversationId": run.conversation.public_id if run.conversation else None,
        "messageId": run.question.public_id if run.question else None,
        "answerId": run.answer.public_id if run.answer else None,
        "prompt": run.prompt,
        "status": run.status,
        "output": run.output if run.is_finished else None,
        "error": run.error or None,
        "toolCalls": run.tool_calls,
        "inputTokens": run.input_tokens,
        "outputTokens": run.output_tokens,
        "totalTokens": run.input_tokens + run.output_tokens,
        "cost": float(run.cost),
        "isEstimated": run.is_estimated,
        "attempts": run.epoch,
        "durationMs": duration_ms(run) if run.is_finished else None,
        "createdAt": iso(run.created_at),
        "startedAt": iso(run.started_at) if run.started_at else None,
        "finishedAt": iso(run.finished_at) if run.finished_at else None,
    }


def step_shape(run: "AgentRun", step: "AgentStep") -> Json:
    return {
        "id": step.call_id,
        "runId": run.wire_id,
        "agentId": run.agent_id,
        "name": step.name,
        "status": step.status,
        "argsSummary": step.args_summary,
        "resultSummary": step.result_summary or None,
        "ms": step.duration_ms,
        "startedAt": iso(step.started_at),
        "finishedAt": iso(step.finished_at) if step.finished_at else None,
    }
