"""The log's tables. Only `log`, `volumes` and `packing` touch them; admin looks.

Bodies and entries are divided into volumes by the keys of events, so that what is old goes with the
table it is in. That leaves no foreign keys between them: an entry is written together with its
body, and topics stay. Each volume has an index of its own by which no number is there twice.
"""

from django.db import models
from django.db.models import Q


class Topic(models.Model):
    """A stream of numbered events; entries `first_seq` to `last_seq` are held, without holes."""

    name = models.CharField(max_length=200, unique=True)
    first_seq = models.BigIntegerField(default=1)
    last_seq = models.BigIntegerField(default=0)
    has_ended = models.BooleanField(default=False)
    # Where a reader looks first: in this volume are the entries from that number on.
    volume = models.BigIntegerField(db_default=0)
    volume_seq = models.BigIntegerField(db_default=1)
    # Of the last event, for its id.
    last_recorded_at = models.DateTimeField(null=True)
    last_tag = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return self.name


class EventBody(models.Model):
    """What happened: stored once, however many topics tell of it."""

    id = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=100)
    subject = models.CharField(max_length=200, blank=True)
    # Text and not jsonb: a replay sends the very bytes that were sent live.
    payload = models.TextField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    tag = models.BigIntegerField()
    is_final = models.BooleanField(default=False)

    class Meta:
        verbose_name = "event"
        indexes = (models.Index("id", condition=Q(is_final=True), name="streaming_final"),)

    def __str__(self) -> str:
        return self.kind


class Entry(models.Model):
    """Event number `seq` of a topic."""

    pk = models.CompositePrimaryKey("topic_id", "seq")
    topic = models.ForeignKey(
        Topic, on_delete=models.DO_NOTHING, db_index=False, db_constraint=False
    )
    seq = models.BigIntegerField()
    body = models.ForeignKey(EventBody, on_delete=models.DO_NOTHING, db_constraint=False)

    class Meta:
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.topic_id}/{self.seq}"
