"""Say it inside the transaction; it travels after the commit.

`publish` only collects. The outermost `@transactional` function appends what was collected as its
last act, in topic order, because topic rows stay locked from there to COMMIT: appending where
`publish` is called would lock them in whatever order services nest, and deadlock. Other rows that
many transactions want are written right before, by `write_last`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from django.db import transaction
from django.utils import timezone
from pydantic_core import to_json

from streaming import doorbell, log, statements, tracing
from streaming.appending import Draft, Told, append
from streaming.errors import PublishedOutsideTransaction
from streaming.events import ERASED, Event
from streaming.statements import Statement

P = ParamSpec("P")
R = TypeVar("R")

Hear = Callable[[Sequence[Event]], None]


class _Collected(list[Draft]):
    """And who is to hear of them once they have their numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.hearers: list[Hear] = []
        self.last: list[Statement] = []


_collected: ContextVar[_Collected | None] = ContextVar("collected", default=None)


class Publishable(Protocol):
    """Something that happened: `payload` is what a frame carries under its family's key."""

    @property
    def kind(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def occurred_at(self) -> datetime: ...

    @property
    def is_final(self) -> bool: ...

    def payload(self) -> Mapping[str, Any]: ...


def publish(event: Publishable, *topics: str) -> None:
    """Tell the followers of these topics once the transaction commits."""
    collected = _collected.get()
    if collected is None:
        raise PublishedOutsideTransaction
    collected.append(
        Draft(
            topics=topics,
            kind=event.kind,
            payload=to_json(event.payload(), inf_nan_mode="null").decode(),
            subject=event.subject,
            occurred_at=event.occurred_at,
            is_final=event.is_final,
        )
    )


def when_told(hear: Hear) -> None:
    """Call this with all events of the transaction, inside of it, when they have their numbers."""
    collected = _collected.get()
    if collected is None:
        raise PublishedOutsideTransaction
    collected.hearers.append(hear)


def write_last(*last: Statement) -> None:
    """Run these when all else is written: who waits for their rows waits from there to COMMIT."""
    collected = _collected.get()
    if collected is None:
        raise PublishedOutsideTransaction
    collected.last += last


def erase(topic: str) -> None:
    """Take back all that a topic has told, wherever else it was told: memory is let go of too."""
    collected = _collected.get()
    if collected is None:
        raise PublishedOutsideTransaction
    others = log.erase(topic)
    if others:
        collected.append(
            Draft(
                topics=tuple(others),
                kind=ERASED,
                payload="{}",
                subject="",
                occurred_at=timezone.now(),
                is_final=False,
            )
        )


def transactional(function: Callable[P, R]) -> Callable[P, R]:
    """Run in a transaction; what is published inside is committed with it or not at all."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        outer = _collected.get()
        collected = _Collected()
        token = _collected.set(collected)
        try:
            with tracing.span(function.__name__), transaction.atomic():
                result = function(*args, **kwargs)
                if outer is None:
                    _finish(collected)
        finally:
            _collected.reset(token)
        if outer is not None:
            outer.extend(collected)
            outer.hearers.extend(collected.hearers)
            outer.last.extend(collected.last)
        return result

    return run


def _finish(collected: _Collected) -> None:
    if not collected:
        statements.run(*collected.last)
        return
    told = append(collected, behind=collected.last)
    for hear in collected.hearers:
        hear([event for one in told for event in one.events()])
    _ring_after_commit(told)


def _ring_after_commit(told: Sequence[Told]) -> None:
    # A function and not a partial: Django reads the name of a robust callback that fails.
    def ring() -> None:
        doorbell.announce(told)

    transaction.on_commit(ring, robust=True)
