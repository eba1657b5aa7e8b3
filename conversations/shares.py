"""Whose the figures of a range are, hour by hour or day by day: the agents and models used most."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from django.db.models import Sum

from conversations.metrics import Summary
from conversations.models import Project, Total

By = Literal["agent_type", "model"]
# What is more than these is told together with the rest: nobody tells more colours apart.
MOST_SHARES = 6
NOTHING = (Decimal(0), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one of them has used in each hour or day of the range, in its order."""

    name: str
    cost: list[Decimal]
    total_tokens: list[int]


def shares_of(project: Project, found: Summary, *, by: By) -> list[Share]:
    """Of those with the most tokens, or where nobody has told tokens the highest cost."""
    slots = list(found.by_slot)
    if not slots:
        return []
    span = (slots[0], slots[-1])
    totals = Total.objects.filter(project=project, unit=found.unit, slot__range=span)
    used = totals.values(by).annotate(tokens=Sum("total_tokens"), spent=Sum("cost"))
    largest = used.order_by("-tokens", "-spent", by).values_list(by, flat=True)[:MOST_SHARES]
    names = list(largest)
    parts = totals.filter(**{f"{by}__in": names}).values_list(by, "slot")
    counted = {
        (name, slot): (cost, int(tokens))
        for name, slot, cost, tokens in parts.annotate(Sum("cost"), Sum("total_tokens"))
    }
    return [_share(name, [counted.get((name, slot), NOTHING) for slot in slots]) for name in names]


def _share(name: str, sums: list[tuple[Decimal, int]]) -> Share:
    return Share(
        name=name,
        cost=[cost for cost, _ in sums],
        total_tokens=[tokens for _, tokens in sums],
    )
