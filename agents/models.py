"""Who asks, in which chats, and what the agents did about it."""

import secrets
from typing import Any

from django.db import models
from django.utils import timezone

from conversations.models import Conversation, Message, Project
from streaming import tracing


def new_id() -> str:
    """24 hex digits, the form in which chat clients know messages."""
    return secrets.token_hex(12)


class Person(models.Model):
    """A user of a chat client, under the name which that client gave."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="people")
    user_id = models.CharField(max_length=200)
    name = models.TextField(null=True, blank=True)  # noqa: DJ001 - a client is told null
    email = models.TextField(null=True, blank=True)  # noqa: DJ001
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_active = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "people"
        constraints = [models.UniqueConstraint("project", "user_id", name="one_person_per_id")]

    def __str__(self) -> str:
        return self.name or self.user_id


class Chat(models.Model):
    """What makes a conversation a chat: a person asks here, and an agent answers."""

    conversation = models.OneToOneField(
        Conversation, on_delete=models.CASCADE, primary_key=True, related_name="chat"
    )
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="chats")
    # Who answers where a question names nobody.
    agent_id = models.CharField(max_length=100)

    def __str__(self) -> str:
        return str(self.conversation)


class AgentRun(models.Model):
    """An agent at work: on a question of a chat, or on a prompt of its own."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNFINISHED = (Status.QUEUED, Status.RUNNING)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    public_id = models.CharField(max_length=24, unique=True, default=new_id, editable=False)
    # Under which a framework outside knows it: that carries it out, and tells us how far it is.
    outside_id = models.CharField(max_length=200, blank=True, editable=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, null=True, blank=True, related_name="runs"
    )
    # They go with the conversation: a constraint would look for runs of each message deleted.
    question = models.ForeignKey(
        Message,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="runs",
        db_constraint=False,
    )
    answer = models.ForeignKey(
        Message,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
    )
    agent_id = models.CharField(max_length=100)
    agent_name = models.CharField(max_length=200)
    model = models.CharField(max_length=200, blank=True)
    prompt = models.TextField()
    metadata = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.QUEUED)
    output = models.TextField(blank=True)
    error = models.TextField(blank=True)
    # The task that is queued, with this run's id, in the transaction that ends it.
    then = models.CharField(max_length=100, blank=True, editable=False)
    # The queue's job, which is told to stop when the run is cancelled.
    job_id = models.BigIntegerField(null=True, editable=False)
    # Where in which trace it was asked for: its worker goes on with that.
    trace = models.CharField(
        max_length=tracing.LONGEST, blank=True, default=tracing.here, db_default="", editable=False
    )
    # Each worker that takes the run up gets the next number; writes of earlier ones are refused.
    epoch = models.PositiveIntegerField(default=0, editable=False)
    # Where the run's events begin in its topic, and how many it has told.
    first_seq = models.BigIntegerField(default=1, editable=False)
    told = models.BigIntegerField(default=0, editable=False)
    tool_calls = models.PositiveIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    requests = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=32, decimal_places=12, default=0)
    is_estimated = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "project",
                "outside_id",
                condition=~models.Q(outside_id=""),
                name="one_run_per_outside_id",
            )
        ]
        indexes = [
            models.Index(fields=["project", "-created_at", "-id"], name="runs_newest_first"),
            models.Index(
                fields=["created_at"],
                condition=models.Q(status__in=("queued", "running")),
                name="runs_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_name}: {self.prompt[:60]}"

    @property
    def wire_id(self) -> str:
        return self.outside_id or self.public_id

    @property
    def topic(self) -> str:
        """Where its steps are told. All attempts at an answer share the topic of the question."""
        return f"message:{self.question_id}" if self.question_id else f"run:{self.pk}"

    @property
    def is_finished(self) -> bool:
        return self.status not in self.UNFINISHED

    @property
    def age_s(self) -> float:
        """Since it was asked for."""
        return (timezone.now() - self.created_at).total_seconds()


class AgentStep(models.Model):
    """A call of a tool, with what it found: a run that is taken over does not call it again."""

    class Status(models.TextChoices):
        RUNNING = "running"
        OK = "ok"
        ERROR = "error"

    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="steps")
    call_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    arguments: Any = models.JSONField(default=dict)
    args_summary = models.TextField(blank=True)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.RUNNING)
    result = models.TextField(blank=True)
    result_summary = models.TextField(blank=True)
    duration_ms = models.BigIntegerField(null=True)
    # How often it was begun: more than once where a worker died while it went on.
    times_begun = models.PositiveIntegerField(default=1)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint("run", "call_id", name="one_step_per_call")]

    def __str__(self) -> str:
        return f"{self.name}({self.args_summary})"


class Checkpoint(models.Model):
    """Where a run stands, for whoever goes on with it; an hour after its end it goes."""

    run = models.OneToOneField(AgentRun, on_delete=models.CASCADE, primary_key=True)
    # How many events the run had told, and what of the answer they told.
    position = models.BigIntegerField()
    content = models.TextField(blank=True)
    # How much of that belongs to finished steps.
    kept = models.BigIntegerField()
    # What the backend needs to go on behind them; null before its first step is finished.
    state = models.JSONField(null=True)
    usage: Any = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    saved_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.run_id} at {self.position}"


class RunFile(models.Model):
    """A file that an agent wrote for itself."""

    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=300)
    content = models.TextField(blank=True)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint("run", "path", name="one_file_per_path")]

    def __str__(self) -> str:
        return self.path


class Progress(models.Model):
    """How far an agent of a project is: with the run that it began last, or by its own account."""

    ENDED = ("completed", "failed", "cancelled", "error")

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_index=False, related_name="progress"
    )
    agent_id = models.CharField(max_length=100)
    run = models.ForeignKey(
        AgentRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # In the words of whoever carries it out; only those that end it are known here.
    status = models.CharField(max_length=50, default="running")
    percentage = models.FloatField(default=0)
    current_step = models.BigIntegerField(default=0)
    total_steps = models.BigIntegerField(default=0)
    # As of its last word; null while nothing tells it.
    remaining_s = models.FloatField(null=True, blank=True)
    tokens_used = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=32, decimal_places=12, default=0)
    updated_at = models.DateTimeField(default=timezone.now)
    # Its pace is measured from there, and to where the percentage was reached.
    began_at = models.DateTimeField(default=timezone.now, editable=False)
    began_with = models.FloatField(default=0, editable=False)
    reached_at = models.DateTimeField(default=timezone.now, editable=False)
    # The last point that was kept of it for charts.
    noted = models.FloatField(null=True, editable=False)
    noted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "progress"
        ordering = ["agent_id"]
        constraints = [
            models.UniqueConstraint("project", "agent_id", name="one_progress_per_agent")
        ]

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.percentage:g} %"

    @property
    def is_finished(self) -> bool:
        return self.status in self.ENDED


class ProgressPoint(models.Model):
    """How far an agent was at a time: for charts."""

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_index=False, related_name="progress_points"
    )
    agent_id = models.CharField(max_length=100)
    percentage = models.FloatField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        indexes = [
            models.Index(fields=["project", "at", "id"], name="progress_by_time"),
            models.Index(fields=["at"], name="progress_to_thin"),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.percentage:g} %"
