"""Amounts in words; static/js/figures.js writes the same."""

from decimal import Decimal

from django import template

# Where nothing is known there is no figure, and not one of zero.
NONE = "—"
LEAST_DOLLARS = Decimal("0.0001")
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1000, 60_000, 3_600_000, 86_400_000

register = template.Library()


@register.filter
def thousands(number: int | Decimal) -> str:
    return f"{number:,.0f}"


@register.filter
def dollars(amount: Decimal | float) -> str:
    """Parts of a cent count where there are no dollars."""
    if not amount:
        return NONE
    if amount < LEAST_DOLLARS:
        return f"<${LEAST_DOLLARS}"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


@register.filter
def lasted(duration_ms: int | Decimal) -> str:
    """The two units that matter: 2 h 5 min, 3.2 s."""
    ms = int(duration_ms)
    if not ms:
        return NONE
    if ms < SECOND_MS:
        return f"{ms} ms"
    if ms < MINUTE_MS:
        return f"{ms // 100 / 10:.1f} s"
    if ms < HOUR_MS:
        return f"{ms // MINUTE_MS} min {ms % MINUTE_MS // SECOND_MS} s"
    if ms < DAY_MS:
        return f"{ms // HOUR_MS} h {ms % HOUR_MS // MINUTE_MS} min"
    return f"{ms // DAY_MS:,} d {ms % DAY_MS // HOUR_MS} h"
