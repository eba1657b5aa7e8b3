"""Who asks, in which chats, and what the agents did about it."""

import secrets
from typing import Any

from django.db import models
from django.utils import timezone

from conversations.models import Conversation, Message, Project


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
    def topic(self) -> str:
        """Where its steps are told. All attempts at an answer share the topic of the question."""
        return f"message:{self.question_id}" if self.question_id else f"run:{self.pk}"

    @property
    def is_finished(self) -> bool:
        return self.status not in self.UNFINISHED


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
