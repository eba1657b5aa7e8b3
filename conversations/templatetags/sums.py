"""How what much adds up to is written, short; static/js/sums.js writes it the same."""

from decimal import Decimal

from django import template

register = template.Library()


@register.filter
def count(number: int) -> str:
    return f"{number:,}"


@register.filter
def spend(cost: Decimal | float) -> str:
    """Parts of a cent count where there are no dollars."""
    if not cost:
        return "$0"
    return f"${cost:,.2f}" if cost >= 1 else f"${cost:.4f}"
