"""A batch: many events in one body, in order, each with an answer of its own."""

from collections.abc import Sequence

from conversations.changes import Json
from conversations.errors import BodyTooLarge
from conversations.ingest.dispatch import Answer
from conversations.ingest.reading import InvalidJSON, read_items, read_json
from conversations.ingest.receive import receive
from conversations.models import Project

MOST_EVENTS = 1_000


def read_batch(body: bytes, *, is_lines: bool = False) -> list[object]:
    """The events; where one cannot be read, what is wrong with it stands in its place.

    Raises InvalidJSON and BodyTooLarge, of the whole of it.
    """
    events = _lines(body) if is_lines else read_items(body)
    if len(events) > MOST_EVENTS:
        raise BodyTooLarge(f"A batch has at most {MOST_EVENTS} events")
    return events


def receive_batch(events: Sequence[object], *, project: Project, key: str | None) -> Json:
    """Record them together, and say of each what became of it."""
    good = [index for index, event in enumerate(events) if not isinstance(event, InvalidJSON)]
    received = iter(
        receive(
            [events[index] for index in good],
            project=project,
            idempotency_keys=[f"{key}#{index}" if key else None for index in good],
        )
    )
    answers = [
        _unread(event) if isinstance(event, InvalidJSON) else next(received) for event in events
    ]
    accepted = sum(answer.status < 300 for answer in answers)
    return {
        "accepted": accepted,
        "rejected": len(answers) - accepted,
        "results": [
            {"index": index, **answer.body, "status": answer.status}
            for index, answer in enumerate(answers)
        ],
    }


def _lines(body: bytes) -> list[object]:
    events: list[object] = []
    for line in body.split(b"\n"):
        if line.strip():
            try:
                events.append(read_json(line))
            except InvalidJSON as error:
                events.append(error)
    return events


def _unread(error: InvalidJSON) -> Answer:
    return Answer(400, {"error": "Invalid JSON", "message": str(error)})
