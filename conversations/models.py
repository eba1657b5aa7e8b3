"""The record: who may see it, what was said, and what has been delivered before."""

import hashlib
import secrets
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

DEFAULT_PROJECT = "default"
LONGEST_RETENTION_DAYS = 36_500
# What is kept of an agent's id or type to look for it: an index has no room for a novel.
LONGEST_AGENT = 200


def new_id() -> str:
    """An id of our own giving, in the form that camelCase clients expect."""
    return f"c{secrets.token_hex(12)}"


def digest_of(secret: str) -> str:
    """What is kept of a key. It is 256 random bits: a slow hash would defend nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Scope(models.TextChoices):
    INGEST = "ingest"
    READ = "read"
    WRITE = "write"
    RUN = "run"


def all_scopes() -> list[str]:
    return list(Scope.values)


class Project(models.Model):
    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200, blank=True)
    members: Any = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="projects"
    )
    # Conversations are deleted so long after they were last touched; empty keeps them for ever.
    retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_RETENTION_DAYS)],
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(retention_days__range=(1, LONGEST_RETENTION_DAYS))
                | models.Q(retention_days=None),
                name="retention_of_days_or_for_ever",
            )
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def topic(self) -> str:
        return f"project:{self.pk}"


class Membership(models.Model):
    class Role(models.TextChoices):
        OWNER = "owner"
        MEMBER = "member"

    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)

    class Meta:
        constraints = [models.UniqueConstraint("project", "user", name="one_membership_each")]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> "ApiKeyQuerySet":
        return self.filter(revoked_at=None)


class ApiKey(models.Model):
    """A key to one project. Only its digest is kept; the key itself is shown once."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices), default=all_scopes)
    rates = models.JSONField(
        default=dict, blank=True, help_text='Rates of its own, such as {"streams": "0"}.'
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"


class Conversation(models.Model):
    class Kind(models.TextChoices):
        RECORDED = "recorded"
        CHAT = "chat"

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE"
        COMPLETED = "COMPLETED"
        INTERRUPTED = "INTERRUPTED"
        ERROR = "ERROR"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="conversations")
    public_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.RECORDED)
    name = models.TextField(blank=True)
    mode = models.TextField(blank=True)
    status = models.CharField(max_length=11, choices=Status.choices, default=Status.ACTIVE)
    source = models.TextField(blank=True)
    initial_prompt = models.TextField(blank=True)
    max_turns = models.BigIntegerField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    notes = models.TextField(blank=True)
    # The ids and types of all agents that have a part in it, by which it is looked for.
    agents = ArrayField(models.TextField(), default=list, editable=False)
    system_info = models.JSONField(null=True, blank=True)
    summary = models.JSONField(null=True, blank=True)
    error_message = models.TextField(blank=True)
    # Totals of the stored messages. Sums of 64-bit numbers need more than 64 bits.
    total_messages = models.BigIntegerField(default=0)
    total_tokens = models.DecimalField(max_digits=40, decimal_places=0, default=0)
    total_cost = models.DecimalField(max_digits=40, decimal_places=12, default=0)
    total_duration_ms = models.DecimalField(max_digits=40, decimal_places=0, default=0)
    reported_duration_ms = models.BigIntegerField(null=True, blank=True)
    last_sequence_number = models.BigIntegerField(default=0)
    # Opened by a message, an error or an end that came before the start.
    awaits_start = models.BooleanField(default=False)
    has_completed = models.BooleanField(default=False)
    # The digest of an uploaded session's `metadata.originalId`.
    original = models.BinaryField(max_length=32, null=True, editable=False)
    started_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "public_id", name="one_conversation_per_id"),
            models.UniqueConstraint("project", "original", name="one_upload_per_original_id"),
        ]
        indexes = [
            # With all that a summary counts, so that it need not read the conversations.
            models.Index(
                fields=["project", "-started_at", "-id"],
                include=["status", "source"],
                name="conversations_newest_first",
            ),
            models.Index(
                fields=["project"],
                condition=models.Q(status="ACTIVE"),
                name="conversations_active",
            ),
            GinIndex(fields=["agents"], name="conversations_by_agent"),
        ]

    def __str__(self) -> str:
        return self.name or self.public_id

    def note_agents(self, *names: str) -> None:
        """These ids or types have a part in it."""
        known: set[str] | None = self.__dict__.get("known_agents")
        if known is None:
            known = self.__dict__["known_agents"] = set(self.agents)
        for name in names:
            if name in known:
                continue
            shown = name[:LONGEST_AGENT]
            if shown and shown not in known:
                known.add(shown)
                self.agents.append(shown)

    @property
    def topic(self) -> str:
        return f"conversation:{self.pk}"


class Participant(models.Model):
    """An agent as the start of its conversation announced it."""

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="participants"
    )
    position = models.PositiveIntegerField()
    agent_id = models.TextField(blank=True)
    agent_type = models.TextField(blank=True)
    agent_name = models.TextField(blank=True)
    agent_version = models.TextField(blank=True)
    model = models.TextField(blank=True)
    prompt = models.TextField(blank=True)
    announcement = models.TextField(blank=True)
    settings = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint("conversation", "position", name="one_participant_per_place")
        ]

    def __str__(self) -> str:
        return self.agent_name or self.agent_type


class Message(models.Model):
    # Written under the lock of its conversation, which takes it along when it is deleted, under
    # the same lock. Constraints would look for both again, as long as all the rest takes.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_index=False, db_constraint=False
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        related_name="messages",
        db_index=False,
        db_constraint=False,
    )
    public_id = models.CharField(max_length=200)
    agent_id = models.TextField(blank=True)
    agent_name = models.TextField(blank=True)
    agent_type = models.TextField(blank=True)
    agent_version = models.TextField(blank=True)
    role = models.TextField(blank=True)
    content = models.TextField(blank=True)
    timestamp = models.DateTimeField()
    sequence_number = models.BigIntegerField()
    turn_number = models.BigIntegerField(null=True, blank=True)
    model = models.TextField(blank=True)
    duration_ms = models.BigIntegerField(null=True, blank=True)
    input_tokens = models.BigIntegerField(null=True, blank=True)
    output_tokens = models.BigIntegerField(null=True, blank=True)
    total_tokens = models.BigIntegerField(null=True, blank=True)
    cost = models.DecimalField(max_digits=32, decimal_places=12, null=True, blank=True)
    status = models.TextField(default="completed")
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["sequence_number", "timestamp", "id"]
        constraints = [models.UniqueConstraint("project", "public_id", name="one_message_per_id")]
        indexes = [
            models.Index(
                "conversation", "sequence_number", "timestamp", "id", name="messages_in_order"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent_name or self.agent_type}: {self.content[:60]}"


class RawEvent(models.Model):
    """A delivered event that no other row holds: logs, errors, greetings, kinds nobody knows."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="raw_events")
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, null=True, blank=True, related_name="raw_events"
    )
    kind = models.TextField()
    timestamp = models.DateTimeField()
    data = models.JSONField(default=dict)
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.kind


class Receipt(models.Model):
    """What was answered to a delivery, so that its repetition is answered alike."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False)
    identity = models.BinaryField(max_length=32)
    # Set where the identity is an Idempotency-Key: what the key stood for. Such rows are forgotten.
    fingerprint = models.BinaryField(max_length=32, null=True)
    made_id = models.CharField(max_length=200, blank=True)
    # Where more was answered than one id.
    answer: Any = models.JSONField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint("project", "identity", name="one_receipt_each")]

    def __str__(self) -> str:
        return bytes(self.identity).hex()


class DeletedConversation(models.Model):
    """What is left of a conversation: its id, so that late events for it are dropped."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False)
    public_id = models.CharField(max_length=200)
    deleted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint("project", "public_id", name="deleted_once")]

    def __str__(self) -> str:
        return self.public_id


class RetentionDay(models.Model):
    """What retention took from a project in a day, and when it last looked."""

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_index=False, related_name="retention"
    )
    day = models.DateField()
    last_run_at = models.DateTimeField()
    # Rows by what they were.
    gone = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint("project", "day", name="one_account_a_day")]

    def __str__(self) -> str:
        return str(self.day)


class Total(models.Model):
    """The messages of an hour or a day, counted in the transactions that write and delete them."""

    class Unit(models.TextChoices):
        HOUR = "hour"
        DAY = "day"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False)
    unit = models.CharField(max_length=4, choices=Unit.choices)
    # When the hour or day begins.
    slot = models.DateTimeField()
    source = models.CharField(max_length=100)
    agent_type = models.CharField(max_length=100)
    model = models.CharField(max_length=100)
    messages = models.BigIntegerField()
    input_tokens = models.DecimalField(max_digits=40, decimal_places=0)
    output_tokens = models.DecimalField(max_digits=40, decimal_places=0)
    total_tokens = models.DecimalField(max_digits=40, decimal_places=0)
    cost = models.DecimalField(max_digits=40, decimal_places=12)
    duration_ms = models.DecimalField(max_digits=40, decimal_places=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "project", "unit", "slot", "source", "agent_type", "model", name="one_total_each"
            )
        ]

    def __str__(self) -> str:
        return f"{self.unit} of {self.slot} {self.agent_type}"


# Where a document is, as the index of words knows it: in a project, and in a slice of the project.
SLICE_BITS = 12
SLICES = f"(ARRAY[project_id, (project_id << 32) | (id >> {SLICE_BITS})])"


class SearchDocument(models.Model):
    """A piece of a message, or without a message of a conversation's name and prompt, as words."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE)
    # Deleted with its conversation, by the conversation: a constraint would look for each message.
    message = models.ForeignKey(
        Message, on_delete=models.DO_NOTHING, null=True, db_index=False, db_constraint=False
    )
    # Where in the message or the prompt the piece starts, in characters.
    start = models.PositiveIntegerField(default=0)
    words = SearchVectorField()

    class Meta:
        indexes = [
            # Of an expression that the primary key does not answer: to walk back from the newest of
            # all projects would pass those of the others.
            models.Index("project", models.F("id") * -1, name="documents_newest_first"),
            GinIndex(models.F("words"), models.Func(template=SLICES), name="documents_by_slice"),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id}/{self.message_id or 'name and prompt'}"


class Unindexed(models.Model):
    """What search has yet to read: a message, or without one a conversation's name and prompt."""

    # Without constraints, like the message itself: written and deleted together with it.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_index=False, db_constraint=False
    )
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, db_constraint=False)
    message = models.ForeignKey(
        Message, on_delete=models.DO_NOTHING, null=True, db_index=False, db_constraint=False
    )

    class Meta:
        verbose_name_plural = "unindexed"

    def __str__(self) -> str:
        return f"{self.conversation_id}/{self.message_id or 'name and prompt'}"


class IngestJob(models.Model):
    """A file of conversations on its way into the record."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="ingest_jobs")
    public_id = models.CharField(max_length=25, unique=True, default=new_id, editable=False)
    # sessions, events or states: what the file turned out to hold; empty until it was opened.
    kind = models.CharField(max_length=20, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    file_name = models.CharField(max_length=255, blank=True)
    # Where the file waits, within the folder of imports; removed when the job is over.
    path = models.CharField(max_length=100, blank=True, editable=False)
    size = models.BigIntegerField(default=0)
    # How far the file has been read and recorded: in bytes as they lie on disk, and in lines.
    offset = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    processed = models.BigIntegerField(default=0)
    new = models.BigIntegerField(default=0)
    known = models.BigIntegerField(default=0)
    repaired = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    errors = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="ingest_jobs_newest_first")]

    def __str__(self) -> str:
        return self.file_name or self.public_id

    @property
    def topic(self) -> str:
        return f"ingest:{self.pk}"

    @property
    def percentage(self) -> float:
        if self.status == self.Status.COMPLETED:
            return 100
        return round(100 * self.offset / self.size, 1) if self.size else 0
