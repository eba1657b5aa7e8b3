"""What a page shows of a chat: each question with its answer, as far as that has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import Exists, OuterRef, QuerySet

from agents import events
from agents.models import AgentRun, AgentStep
from conversations.models import Conversation, Message

# What the steps of an answer call the states of its run.
PHASES = {"queued": "pending", "running": "processing", "failed": "error"}
# The elements that go on with an answer word it alike, in static/js/answer-words.js.
STATUSES = {
    "pending": "Queued",
    "processing": "Answering",
    "completed": "Answered",
    "error": "Failed",
    "cancelled": "Stopped",
}
LEAST_COST = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    step: AgentStep

    @property
    def took(self) -> str:
        return "" if self.step.duration_ms is None else duration(self.step.duration_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An attempt at an answer."""

    run: AgentRun

    @property
    def status(self) -> str:
        return PHASES.get(self.run.status, self.run.status)

    @property
    def status_words(self) -> str:
        return STATUSES[self.status]

    @property
    def can_be_retried(self) -> bool:
        return self.status in {"error", "cancelled"}

    @property
    def doing(self) -> str:
        if not self.run.is_finished:
            return "Waits for its turn" if self.status == "pending" else self.status_words
        return work(events.duration_ms(self.run), self.run.tool_calls)

    @property
    def took(self) -> str:
        return duration(events.duration_ms(self.run))

    @property
    def text(self) -> str:
        return self.run.output if self.run.is_finished else ""

    @property
    def tools(self) -> list[Tool]:
        return [Tool(step=step) for step in self.run.steps.all()]

    @property
    def spent(self) -> str:
        tokens = self.run.input_tokens + self.run.output_tokens
        return spent(tokens, self.run.cost, is_estimated=self.run.is_estimated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question and the latest attempt at its answer."""

    question: Message
    work: Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Of a chat, in order; `earlier` is from where what lies before it is asked for."""

    exchanges: Sequence[Exchange]
    earlier: int | None


def part_of(conversation: Conversation, *, before: int | None, size: int) -> Part:
    """The newest exchanges, or those that came before a question's number."""
    asked = Exists(AgentRun.objects.filter(question=OuterRef("pk")))
    questions = conversation.messages.filter(asked)
    if before is not None:
        questions = questions.filter(sequence_number__lt=before)
    newest_first = list(questions.order_by("-sequence_number")[: size + 1])
    shown = newest_first[:size][::-1]
    latest = {run.question_id: run for run in _runs_of(shown)}
    return Part(
        exchanges=[
            Exchange(question=question, work=Work(run=latest[question.pk])) for question in shown
        ],
        earlier=shown[0].sequence_number if len(newest_first) > size else None,
    )


def _runs_of(questions: Sequence[Message]) -> QuerySet[AgentRun]:
    """The latest attempt at an answer comes last."""
    runs = AgentRun.objects.filter(question__in=[question.pk for question in questions])
    return runs.prefetch_related("steps").order_by("pk")


def work(took_ms: int, tool_calls: int) -> str:
    tools = f" · {tool_calls} {'tool' if tool_calls == 1 else 'tools'}" if tool_calls else ""
    return f"Worked for {duration(took_ms)}{tools}"


def duration(ms: int) -> str:
    if ms >= 60_000:
        seconds = ms // 1000
        return f"{seconds // 60} min {seconds % 60} s"
    tenths = (ms + 50) // 100
    return f"{tenths // 10}.{tenths % 10} s"


def spent(tokens: int, cost: Decimal, *, is_estimated: bool) -> str:
    told = [f"{tokens:,} {'token' if tokens == 1 else 'tokens'}"] if tokens else []
    if cost:
        words = f"${cost.quantize(LEAST_COST, ROUND_HALF_UP)}"
        shown = words if cost >= LEAST_COST else f"under ${LEAST_COST}"
        told.append(f"{shown} (estimate)" if is_estimated else shown)
    return " · ".join(told)
