"""Amounts in words; static/js/elements/message-figures.js writes the same."""

from decimal import Decimal

from django import template

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1000, 60_000, 3_600_000, 86_400_000

register = template.Library()


@register.filter
def thousands(number: int | Decimal) -> str:
    return f"{number:,.0f}"


@register.filter
def dollars(amount: Decimal | float) -> str:
    return f"${amount:,.4f}"


@register.filter
def lasted(duration_ms: int | Decimal) -> str:
    """The two units that matter: 2 h 5 min, 3.2 s."""
    ms = int(duration_ms)
    if ms < SECOND_MS:
        return f"{ms} ms"
    if ms < MINUTE_MS:
        return f"{ms // 100 / 10:.1f} s"
    if ms < HOUR_MS:
        return f"{ms // MINUTE_MS} min {ms % MINUTE_MS // SECOND_MS} s"
    if ms < DAY_MS:
        return f"{ms // HOUR_MS} h {ms % HOUR_MS // MINUTE_MS} min"
    return f"{ms // DAY_MS:,} d {ms % DAY_MS // HOUR_MS} h"
