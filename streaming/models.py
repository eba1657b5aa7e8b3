"""The log's tables. Only `streaming.log` reads and writes them; admin looks."""

from django.db import models


class Topic(models.Model):
    """A stream of numbered events; entries `first_seq` to `last_seq` are held, without holes."""

    name = models.CharField(max_length=200, unique=True)
    first_seq = models.BigIntegerField(default=1)
    last_seq = models.BigIntegerField(default=0)
    has_ended = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class EventBody(models.Model):
    """What happened: stored once, however many topics tell of it."""

    kind = models.CharField(max_length=100)
    subject = models.CharField(max_length=200, blank=True)
    # Text and not jsonb: a replay sends the very bytes that were sent live.
    payload = models.TextField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_index=True)
    tag = models.BigIntegerField()
    is_final = models.BooleanField(default=False)

    class Meta:
        verbose_name = "event"

    def __str__(self) -> str:
        return self.kind


class Entry(models.Model):
    """Event number `seq` of a topic."""

    pk = models.CompositePrimaryKey("topic_id", "seq")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, db_index=False)
    seq = models.BigIntegerField()
    body = models.ForeignKey(EventBody, on_delete=models.CASCADE)

    class Meta:
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.topic_id}/{self.seq}"
