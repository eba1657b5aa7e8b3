"""Graphs of work, and how far each has come; what they made of a page, and how good that is."""

from typing import Any

from django.db import models
from django.utils import timezone

from agents.models import AgentRun, new_id
from conversations.models import Project
from streaming import tracing


class Workflow(models.Model):
    """A definition, under a name by which runs of it are begun."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="workflows")
    name = models.CharField(max_length=100)
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    definition: Any = models.JSONField()
    # Grows with every change; a run keeps the definition that it began with.
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint("project", "name", name="one_workflow_per_name")]

    def __str__(self) -> str:
        return self.title or self.name


class WorkflowRun(models.Model):
    """A workflow on its way: ours, or one of another framework that tells us how far it is."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        # For a person; nothing else of it can go on meanwhile.
        WAITING = "waiting"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNFINISHED = (Status.QUEUED, Status.RUNNING, Status.WAITING)

    class Source(models.TextChoices):
        OWN = "own"
        OUTSIDE = "outside"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="workflow_runs")
    public_id = models.CharField(max_length=24, unique=True, default=new_id, editable=False)
    source = models.CharField(max_length=7, choices=Source.choices, default=Source.OWN)
    # Under which the framework outside knows it, which is the only one that it ever says.
    outside_id = models.CharField(max_length=200, blank=True, editable=False)
    workflow = models.ForeignKey(
        Workflow, on_delete=models.SET_NULL, null=True, blank=True, related_name="runs"
    )
    workflow_name = models.CharField(max_length=200)
    # As it was when the run began; null for runs from outside, which keep theirs to themselves.
    definition: Any = models.JSONField(null=True, blank=True)
    input: Any = models.JSONField(default=dict, blank=True)
    output: Any = models.JSONField(null=True, blank=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.QUEUED)
    error = models.TextField(blank=True)
    started_by = models.CharField(max_length=200, blank=True)
    # Where in which trace it was started: the workers go on with that.
    trace = models.CharField(
        max_length=tracing.LONGEST, blank=True, default=tracing.here, db_default="", editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "project",
                "outside_id",
                condition=~models.Q(outside_id=""),
                name="one_workflow_run_per_outside_id",
            )
        ]
        indexes = [
            models.Index(
                fields=["project", "-created_at", "-id"], name="workflow_runs_newest_first"
            )
        ]

    def __str__(self) -> str:
        return f"{self.workflow_name} {self.wire_id}"

    @property
    def wire_id(self) -> str:
        return self.outside_id or self.public_id

    @property
    def topic(self) -> str:
        return f"workflow-run:{self.pk}"

    @property
    def is_finished(self) -> bool:
        return self.status not in self.UNFINISHED


class NodeState(models.Model):
    """How far a node of a run is, or one item of a node that maps over a list."""

    class State(models.TextChoices):
        # What it needs has not ended.
        PENDING = "pending"
        # Waits for a worker, or for its next attempt.
        QUEUED = "queued"
        RUNNING = "running"
        # For a person.
        WAITING = "waiting"
        COMPLETED = "completed"
        FAILED = "failed"
        # A branch went another way.
        SKIPPED = "skipped"
        CANCELLED = "cancelled"

    UNFINISHED = (State.PENDING, State.QUEUED, State.RUNNING, State.WAITING)
    AT_WORK = (State.QUEUED, State.RUNNING)

    run = models.ForeignKey(WorkflowRun, on_delete=models.CASCADE, related_name="nodes")
    node_id = models.CharField(max_length=200)
    # The place in the list that a node maps over; null for the node itself.
    item = models.PositiveIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=50, blank=True)
    title = models.CharField(max_length=200, blank=True)
    position = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    attempt = models.PositiveIntegerField(default=0)
    # Grows when the run is run again from here or from before: then its effect is wanted again.
    round = models.PositiveIntegerField(default=1, editable=False)
    # Each worker that takes it up gets the next number; what earlier ones write is refused.
    epoch = models.PositiveIntegerField(default=0, editable=False)
    input: Any = models.JSONField(null=True, blank=True)
    output: Any = models.JSONField(null=True, blank=True)
    summary = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)
    agent_run = models.ForeignKey(
        AgentRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # The queue's job that carries it out, if one does.
    job_id = models.BigIntegerField(null=True, editable=False)
    # When its next attempt is due, where one has failed.
    due_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "item"]
        constraints = [
            models.UniqueConstraint(
                "run", "node_id", condition=models.Q(item=None), name="one_state_per_node"
            ),
            models.UniqueConstraint(
                "run",
                "node_id",
                "item",
                condition=models.Q(item__isnull=False),
                name="one_state_per_item",
            ),
        ]
        indexes = [
            models.Index(
                fields=["run"],
                condition=models.Q(state__in=("queued", "running", "waiting")),
                name="nodes_at_work",
            )
        ]

    def __str__(self) -> str:
        return self.node_id if self.item is None else f"{self.node_id}[{self.item}]"

    @property
    def is_finished(self) -> bool:
        return self.state not in self.UNFINISHED

    @property
    def key(self) -> str:
        """The same at every attempt: what has an effect outside does it once for each key."""
        return f"{self.run.public_id}/{self}/{self.round}"


class PreviewSection(models.Model):
    """A part of a page that is being written, as far as it is."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="preview_sections")
    # Null where a framework outside names none.
    run = models.ForeignKey(
        WorkflowRun,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="preview_sections",
    )
    section_id = models.CharField(max_length=200)
    position = models.PositiveIntegerField(default=0)
    content: Any = models.JSONField(default=dict, blank=True)
    is_complete = models.BooleanField(default=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint("run", "section_id", name="one_section_per_run"),
            models.UniqueConstraint(
                "project",
                "section_id",
                condition=models.Q(run=None),
                name="one_section_of_no_run",
            ),
        ]

    def __str__(self) -> str:
        return self.section_id


class QualityScore(models.Model):
    """How good something is, by one measure."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="quality_scores")
    run = models.ForeignKey(
        WorkflowRun,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="quality_scores",
    )
    # Empty where the whole is measured, and not one section.
    section_id = models.CharField(max_length=200, blank=True)
    measure = models.CharField(max_length=100)
    score = models.FloatField()
    detail: Any = models.JSONField(default=dict, blank=True)
    measured_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-measured_at", "-id"], name="scores_newest_first")
        ]

    def __str__(self) -> str:
        return f"{self.section_id or 'all'} {self.measure}: {self.score:g}"
