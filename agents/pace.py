"""How long something still takes, by the pace that it has kept so far."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from agents.backends.base import Todo

WHOLE = 100.0
# Beyond that it is no estimate, and dates come to an end.
LONGEST_S = 10.0**9


@dataclass(frozen=True, slots=True)
class Place:
    """How far one is in a plan; without a plan that is nowhere, until the end."""

    done: int = 0
    total: int = 0

    @classmethod
    def of(cls, plan: "Sequence[Todo]") -> Self:
        return cls(sum(todo.status == "completed" for todo in plan), len(plan))

    @classmethod
    def at(cls, percentage: float, *, total: int) -> Self:
        return cls(round(percentage * total / WHOLE), total)

    @property
    def percentage(self) -> float:
        return round(WHOLE * self.done / self.total) if self.total else 0.0

    @property
    def current_step(self) -> int:
        return min(self.done + 1, self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """From which percentage one began, and how far one has come since."""

    began_at: datetime
    began_with: float
    reached_at: datetime
    percentage: float

    @property
    def per_s(self) -> float:
        """Zero where nothing was done yet, or nothing that took time."""
        took_s = (self.reached_at - self.began_at).total_seconds()
        return (self.percentage - self.began_with) / took_s if took_s > 0 else 0.0

    def remaining_s(self, now: datetime, *, steps: int = 0) -> float | None:
        """Seconds, as of `now`; None where there is no pace to tell them by.

        Of work in steps, nothing is heard within a step. Time runs on there; but a step that takes
        longer than others leaves those behind it as long as they were.
        """
        if self.percentage >= WHOLE:
            return 0.0
        if self.per_s <= 0:
            return None
        left_s = (WHOLE - self.percentage) / self.per_s
        behind = (
            max(0.0, WHOLE - self.percentage - WHOLE / steps) if steps else WHOLE - self.percentage
        )
        passed_s = (now - self.reached_at).total_seconds()
        return min(LONGEST_S, max(left_s - passed_s, behind / self.per_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of those who work on something, as far as it matters to the whole."""

    percentage: float
    is_finished: bool
    began_at: datetime
    updated_at: datetime
    # As of `updated_at`; None where it is not known.
    remaining_s: float | None


def overall(percentages: Iterable[float]) -> float:
    """Of the whole, each part counts the same; nobody at work is nothing done."""
    each = list(percentages)
    return sum(each) / len(each) if each else 0.0


def completion(parts: Iterable[Part]) -> datetime | None:
    """When the last part is expected to end; None where none is going on, or none has a pace."""
    parts = list(parts)
    going = [part for part in parts if not part.is_finished]
    ends = [
        part.updated_at + timedelta(seconds=part.remaining_s)
        for part in going
        if part.remaining_s is not None
    ]
    if len(ends) < len(going) and (end := _by_the_pace_of_all(parts, going)):
        # Of those who have only begun, all that is known is how fast the others are.
        ends.append(end)
    return max(ends, default=None)


def _by_the_pace_of_all(parts: list[Part], going: list[Part]) -> datetime | None:
    began_at = min(part.began_at for part in going)
    # What ended before all of this began says nothing about how fast it goes.
    counted = [part for part in parts if not part.is_finished or part.updated_at >= began_at]
    pace = Pace(
        began_at=began_at,
        began_with=0,
        reached_at=max(part.updated_at for part in counted),
        percentage=overall(part.percentage for part in counted),
    )
    left_s = pace.remaining_s(pace.reached_at)
    return None if left_s is None else pace.reached_at + timedelta(seconds=left_s)
