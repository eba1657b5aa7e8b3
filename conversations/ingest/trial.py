"""A test event on its way, and when it passed each station of it."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from asgiref.sync import async_to_sync
from django.utils import timezone

from conversations.ingest.receive import receive
from conversations.models import Project
from streaming.listening import heard_after

GREETING = "Connection test"


@dataclass(slots=True, kw_only=True)
class Trial:
    """What the event carries as `testId`, and its times; None where it has not come by."""

    test_id: str
    received_at: datetime
    stored_at: datetime | None = None
    rung_at: datetime | None = None


def send_test_event(project: Project) -> Trial:
    """Record an event as a command-line tool would, and listen for its doorbell."""
    trial = Trial(test_id=secrets.token_hex(8), received_at=timezone.now())

    def record() -> None:
        data = {"message": GREETING, "testId": trial.test_id}
        answer = receive([{"type": "bridge.test", "data": data}], project=project)[0]
        if answer.status < 300:
            trial.stored_at = timezone.now()

    rung_at = async_to_sync(heard_after)(project.topic, record)
    if trial.stored_at:
        trial.rung_at = rung_at
    return trial
