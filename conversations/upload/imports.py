"""Working off an import: a batch at a time, each recorded together with how far it has come.

What a batch records, the place in the file, the counts and the errors are committed in one
transaction, under the lock of the job's row. So it does not matter where a worker dies, nor that
two believe the job to be theirs: whoever finds another place than it comes from has lost it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from django.utils import timezone

from conversations.changes import (
    AddMessage,
    AlreadyThere,
    Delivery,
    Json,
    Outcome,
    Recorded,
    StartConversation,
)
from conversations.events import ingest_job
from conversations.ingest.dispatch import Answer, Read, fingerprint_of, read
from conversations.ingest.reading import InvalidJSON, read_json
from conversations.ingest.receive import record_all
from conversations.models import IngestJob
from conversations.upload import files, states
from conversations.upload.items import Item, items
from conversations.upload.schemas import SessionUpload, read_session
from streaming.publish import publish, transactional

MOST_ITEMS = 1_000
MOST_BYTES = 2 * 1024 * 1024
MOST_IN_A_LINE = 1_000
MOST_ERRORS = 1_000
TOLD_EVERY_S = 0.1

Status = IngestJob.Status
UNFINISHED = (Status.QUEUED, Status.RUNNING)


@dataclass(slots=True, kw_only=True)
class Entry:
    """One session, state or event of the file: what it asks for, or why it cannot be recorded."""

    line: int
    kind: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    start: int
    end: int
    entries: list[Entry]


def work_off(job: IngestJob, *, should_stop: Callable[[], bool]) -> bool:
    """Import from where the job stands; false where it was stopped before the end.

    Returns also where the job is no longer this worker's: cancelled, finished, or taken over.
    """
    if not _begin(job):
        return True
    try:
        with files.opened(job.path) as file:
            job.refresh_from_db()
            told_at = 0.0
            for batch in batches(items(file, after=job.offset), start=job.offset):
                if should_stop():
                    return False
                is_told = time.monotonic() - told_at >= TOLD_EVERY_S
                if not _advance(job, batch, is_told=is_told):
                    return True
                if is_told:
                    told_at = time.monotonic()
    except FileNotFoundError:
        fail(job, "The file is no longer there")
        return True
    if _end(job, Status.COMPLETED):
        files.remove(job.path)
    return True


def fail(job: IngestJob, error: str) -> None:
    """Give up for good. What was recorded stays."""
    if _end(job, Status.FAILED, error=error):
        files.remove(job.path)


def batches(found: Iterable[Item], *, start: int) -> Iterator[Batch]:
    """Entries by the thousand; what ends at the same place is never parted."""
    entries: list[Entry] = []
    place, length = start, 0
    for end, group in groupby(found, key=lambda item: item.end):
        for item in group:
            entries += entries_of(item)
            length += len(item.text)
        place = end
        if len(entries) >= MOST_ITEMS or length >= MOST_BYTES:
            yield Batch(start=start, end=place, entries=entries)
            start, entries, length = place, [], 0
    if entries:
        yield Batch(start=start, end=place, entries=entries)


def entries_of(item: Item) -> list[Entry]:
    if item.fault:
        return [Entry(line=item.line, fault=item.fault)]
    try:
        value = read_json(item.text)
    except InvalidJSON as error:
        return [Entry(line=item.line, fault=f"Invalid JSON: {error}")]
    values = value if isinstance(value, list) else [value]
    if len(values) > MOST_IN_A_LINE:
        fault = f"A line holds at most {MOST_IN_A_LINE}"
        return [Entry(line=item.line, fault=fault)]
    return [_entry(item.line, value) for value in values]


def _entry(line: int, value: object) -> Entry:
    if not isinstance(value, dict):
        return Entry(line=line, fault="Expected an object")
    if states.is_state(value):
        return _state(line, value)
    if "session" in value and "type" not in value:
        return _session(line, value)
    return _of_events(line, "events", [value])


def _state(line: int, value: Json) -> Entry:
    if value.get("version") != states.VERSION:
        fault = f"Expected a state of version {states.VERSION}"
        return Entry(line=line, kind="states", fault=fault)
    return _of_events(line, "states", states.events_of(value))


def _session(line: int, value: Json) -> Entry:
    session = read_session(value)
    if not isinstance(session, SessionUpload):
        return Entry(line=line, fault=_sentence(session))
    change = session.change()
    # Without an id of its own a session is known by all that it says.
    identity = None if change.original else fingerprint_of("session", value)
    delivery = Delivery(change=change, identity=identity)
    return Entry(line=line, kind="sessions", deliveries=[delivery])


def _of_events(line: int, kind: str, events: list[Json]) -> Entry:
    deliveries = []
    for event in events:
        reading = read(event, arrived_at=timezone.now())
        if not isinstance(reading, Read):
            return Entry(line=line, fault=_sentence(reading))
        deliveries.append(_recognisable(reading.delivery, event))
    return Entry(line=line, kind=kind, deliveries=deliveries)


def _recognisable(delivery: Delivery, event: Json) -> Delivery:
    """An event without a time is no repetition at the door; in a file that is read again it is."""
    change = delivery.change
    has_own_id = isinstance(change, AddMessage | StartConversation) and change.own_id is not None
    if delivery.identity or has_own_id:
        return delivery
    return replace(delivery, identity=fingerprint_of("imported", event))


def _sentence(refusal: Answer) -> str:
    said = [refusal.body.get(name) for name in ("error", "field", "message")]
    return ": ".join(str(part) for part in said if part)


@transactional
def _begin(job: IngestJob) -> bool:
    unfinished = IngestJob.objects.filter(pk=job.pk, status__in=UNFINISHED)
    now = timezone.now()
    if unfinished.filter(started_at=None).update(status=Status.RUNNING, started_at=now):
        job.refresh_from_db()
        tell(job)
        return True
    return bool(unfinished.update(status=Status.RUNNING))


@transactional
def _advance(job: IngestJob, batch: Batch, *, is_told: bool) -> bool:
    mine = IngestJob.objects.filter(pk=job.pk, status=Status.RUNNING, offset=batch.start)
    standing = mine.select_related("project").select_for_update(of=("self",), no_key=True).first()
    if standing is None:
        return False
    counts = _record(standing, batch)
    standing.offset = batch.end
    standing.processed += len(batch.entries)
    standing.new += counts["new"]
    standing.known += counts["known"]
    standing.repaired += counts["repaired"]
    standing.failed += counts["failed"]
    standing.kind = standing.kind or next((entry.kind for entry in batch.entries if entry.kind), "")
    changed = ["offset", "processed", "new", "known", "repaired", "failed", "kind"]
    room = MOST_ERRORS - len(standing.errors)
    faults = [{"line": entry.line, "error": entry.fault} for entry in batch.entries if entry.fault]
    if faults and room > 0:
        standing.errors += faults[:room]
        changed.append("errors")
    standing.save(update_fields=changed)
    if is_told:
        tell(standing)
    return True


def _record(job: IngestJob, batch: Batch) -> Counter[str]:
    """Record what can be, note on each entry what cannot; says what came of how many."""
    asked = [entry for entry in batch.entries if entry.deliveries and not entry.fault]
    outcomes: dict[int, list[Outcome | Answer]] = {}
    # A session writes thousands of rows, and takes its id by a constraint: each by itself.
    for is_session, group in groupby(asked, key=lambda entry: entry.kind == "sessions"):
        entries = list(group)
        for together in [[entry] for entry in entries] if is_session else [entries]:
            deliveries = [delivery for entry in together for delivery in entry.deliveries]
            came = iter(record_all(job.project, deliveries))
            for entry in together:
                outcomes[id(entry)] = [next(came) for _ in entry.deliveries]
    counts: Counter[str] = Counter()
    for entry in batch.entries:
        counts[_result(job, entry, outcomes.get(id(entry), []))] += 1
    return counts


def _result(job: IngestJob, entry: Entry, outcomes: list[Outcome | Answer]) -> str:
    recorded = [outcome for outcome in outcomes if isinstance(outcome, Recorded)]
    for outcome in outcomes:
        if isinstance(outcome, Answer):
            entry.fault = _sentence(outcome)
        elif not isinstance(outcome, Recorded | AlreadyThere):
            entry.fault = "Conversation not found"
    if entry.fault:
        return "failed"
    new = [outcome for outcome in recorded if outcome.is_new]
    if not new:
        return "known"
    began = job.started_at
    assert began
    was_there = any(outcome.opened_at and outcome.opened_at < began for outcome in new)
    return "repaired" if was_there else "new"


@transactional
def _end(job: IngestJob, status: str, *, error: str = "") -> bool:
    unfinished = IngestJob.objects.filter(pk=job.pk, status__in=UNFINISHED)
    standing = unfinished.select_for_update(no_key=True).first()
    if standing is None:
        return False
    standing.status = status
    standing.finished_at = timezone.now()
    standing.total = standing.processed
    if error:
        standing.errors = [*standing.errors[: MOST_ERRORS - 1], {"line": None, "error": error}]
    standing.save(update_fields=["status", "finished_at", "total", "errors"])
    tell(standing, "completed" if status == Status.COMPLETED else "failed")
    return True


def tell(job: IngestJob, what: str = "updated") -> None:
    publish(ingest_job(job, what), job.project.topic, job.topic)
