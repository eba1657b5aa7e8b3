"""Amounts in words; tests/js/figures.test.js asks the scripts for the same."""

from decimal import Decimal

import pytest

from conversations.templatetags.figures import dollars, lasted, thousands


@pytest.mark.parametrize(
    ("duration_ms", "words"),
    [
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


def test_amounts_have_separators_and_parts_of_a_cent_where_there_are_no_dollars() -> None:
    assert thousands(Decimal(1234567)) == "1,234,567"
    assert dollars(Decimal("1234.5")) == "$1,234.50"
    assert dollars(Decimal("0.0042")) == "$0.0042"
    assert dollars(0.00004) == "<$0.0001"


def test_where_there_is_no_figure_there_is_a_dash() -> None:
    assert dollars(Decimal(0)) == "—"
    assert lasted(0) == "—"
