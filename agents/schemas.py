"""What agents outside say of themselves, field by field."""

from datetime import datetime
from typing import Annotated, Literal

from django.utils import timezone
from pydantic import Field

from agents.models import AgentRun
from agents.progress import Report
from conversations.ingest.camel import Camel
from conversations.ingest.types import Cost, Number, Object, Text, Time, Whole
from conversations.models import Project

LONGEST_ID = 100
LONGEST_TEXT = 100_000
LONGEST_WAIT_S = 10**9

LONGEST_PROMPT = 200_000
LONGEST_LINE = 2_000
MOST_CALLS = 2**31 - 1
MOST_TOKENS = 10**15

# It is part of addresses.
OutsideId = Annotated[Text, Field(min_length=1, max_length=200, pattern=r"^[^/\x00-\x1f]+\z")]
AgentId = Annotated[Text, Field(min_length=1, max_length=LONGEST_ID)]
# The bounds come first: pydantic then compares by itself.
Percentage = Annotated[float, Field(ge=0, le=100), Number]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_WAIT_S), Number]
Line = Annotated[Text, Field(max_length=LONGEST_LINE)]
LongText = Annotated[Text, Field(max_length=LONGEST_TEXT)]
Name = Annotated[Text, Field(min_length=1, max_length=200)]
Tokens = Annotated[Whole, Field(le=MOST_TOKENS)]
Share = Annotated[float, Field(ge=0, le=1), Number]


class ProgressGiven(Camel):
    """Any of what is known of an agent's progress; what is left out is as it was."""

    agent_id: AgentId | None = None
    run_id: OutsideId | None = None
    status: Annotated[Text, Field(min_length=1, max_length=50)] | None = None
    percentage: Percentage | None = None
    # The same under the name that it has in streams as well.
    progress: Percentage | None = None
    current_step: Whole | None = None
    total_steps: Whole | None = None
    estimated_time_remaining: Seconds | None = None
    tokens_used: Tokens | None = None
    cost: Cost | None = None
    content: LongText | None = None
    reasoning: LongText | None = None
    confidence: Share | None = None

    def report(
        self,
        project: Project,
        agent_id: str,
        *,
        at: datetime,
        run: AgentRun | None = None,
        has_completed: bool = False,
    ) -> Report:
        return Report(
            project_id=project.pk,
            agent_id=agent_id,
            run=run,
            status="completed" if has_completed else self.status,
            percentage=self.progress if self.percentage is None else self.percentage,
            current_step=self.current_step,
            total_steps=self.total_steps,
            remaining_s=self.estimated_time_remaining,
            tokens_used=self.tokens_used,
            cost=self.cost,
            content=self.content or "",
            reasoning=self.reasoning or "",
            confidence=self.confidence,
            # What has yet to happen has happened now.
            at=min(at, timezone.now()),
        )


class RunGiven(Camel):
    id: OutsideId
    agent_id: AgentId
    agent_name: Name | None = None
    model: Annotated[Text, Field(max_length=200)] | None = None
    prompt: Annotated[Text, Field(max_length=LONGEST_PROMPT)] | None = None
    status: Literal["queued", "running", "completed", "failed", "cancelled"] | None = None
    output: LongText | None = None
    error: LongText | None = None
    metadata: Object | None = None
    tool_calls: Annotated[Whole, Field(le=MOST_CALLS)] | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    total_tokens: Tokens | None = None
    cost: Cost | None = None
    created_at: Time | None = None
    started_at: Time | None = None
    finished_at: Time | None = None


class StepGiven(Camel):
    """A call of a tool."""

    id: Name
    run_id: OutsideId
    agent_id: AgentId
    name: Name
    status: Literal["running", "ok", "error"] = "running"
    args_summary: Line | None = None
    result: LongText | None = None
    result_summary: Line | None = None
    ms: Whole | None = None
    started_at: Time | None = None
    finished_at: Time | None = None


class MessageGiven(Camel):
    id: Name | None = None
    run_id: OutsideId | None = None
    conversation_id: Name | None = None
    agent_id: AgentId | None = None
    agent_name: Annotated[Text, Field(min_length=1, max_length=LONGEST_ID)] | None = None
    role: Annotated[Text, Field(min_length=1, max_length=50)] = "agent"
    content: LongText
