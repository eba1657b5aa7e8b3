"""What agents outside say of themselves, field by field."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from agents.models import AgentRun
from agents.progress import Report
from conversations.ingest.camel import Camel
from conversations.ingest.types import Cost, Number, Text, Whole
from conversations.models import Project

LONGEST_ID = 100
LONGEST_TEXT = 100_000
LONGEST_WAIT_S = 10**9

AgentId = Annotated[Text, Field(min_length=1, max_length=LONGEST_ID)]
# The bounds come first: pydantic then compares by itself.
Percentage = Annotated[float, Field(ge=0, le=100), Number]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_WAIT_S), Number]
Share = Annotated[float, Field(ge=0, le=1), Number]


class ProgressGiven(Camel):
    """Any of what is known of an agent's progress; what is left out is as it was."""

    agent_id: AgentId | None = None
    status: Annotated[Text, Field(min_length=1, max_length=50)] | None = None
    percentage: Percentage | None = None
    # The same under the name that it has in streams as well.
    progress: Percentage | None = None
    current_step: Whole | None = None
    total_steps: Whole | None = None
    estimated_time_remaining: Seconds | None = None
    tokens_used: Whole | None = None
    cost: Cost | None = None
    content: Annotated[Text, Field(max_length=LONGEST_TEXT)] | None = None
    reasoning: Annotated[Text, Field(max_length=LONGEST_TEXT)] | None = None
    confidence: Share | None = None

    def report(
        self, project: Project, agent_id: str, *, at: datetime, run: AgentRun | None = None
    ) -> Report:
        return Report(
            project_id=project.pk,
            agent_id=agent_id,
            run=run,
            status=self.status,
            percentage=self.progress if self.percentage is None else self.percentage,
            current_step=self.current_step,
            total_steps=self.total_steps,
            remaining_s=self.estimated_time_remaining,
            tokens_used=self.tokens_used,
            cost=self.cost,
            content=self.content or "",
            reasoning=self.reasoning or "",
            confidence=self.confidence,
            at=at,
        )
