"""Amounts in words; tests/js/message-figures.test.js asks the scripts for the same."""

from decimal import Decimal

import pytest

from conversations.templatetags.figures import dollars, lasted, thousands


@pytest.mark.parametrize(
    ("duration_ms", "words"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (3299, "3.2 s"),
        (59_999, "59.9 s"),
        (125_000, "2 min 5 s"),
        (7_500_000, "2 h 5 min"),
        (86_400_000 * 1200 + 7_200_000, "1,200 d 2 h"),
    ],
)
def test_durations_are_told_in_the_two_units_that_matter(duration_ms: int, words: str) -> None:
    assert lasted(duration_ms) == words


def test_amounts_are_written_with_separators_and_costs_with_four_digits() -> None:
    assert thousands(Decimal(1234567)) == "1,234,567"
    assert dollars(Decimal("1234.5")) == "$1,234.5000"
    assert dollars(Decimal("0.00004")) == "$0.0000"
