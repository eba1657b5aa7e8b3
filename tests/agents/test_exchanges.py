"""How an answer's figures are said."""

from decimal import Decimal

import pytest

from agents.exchanges import duration, spent, work

# Scripts have the same table, in tests/js/answer-words.test.js.


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0.0 s"),
        (249, "0.2 s"),
        (250, "0.3 s"),
        (59_949, "59.9 s"),
        (60_000, "1 min 0 s"),
        (125_999, "2 min 5 s"),
    ],
)
def test_a_duration_is_said_in_seconds_and_from_a_minute_on_in_minutes(ms: int, said: str) -> None:
    assert duration(ms) == said


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        (0, "Worked for 1.2 s"),
        (1, "Worked for 1.2 s · 1 tool"),
        (2, "Worked for 1.2 s · 2 tools"),
    ],
)
def test_tools_are_counted(tools: int, said: str) -> None:
    assert work(1200, tools) == said


@pytest.mark.parametrize(
    ("tokens", "cost", "is_estimated", "said"),
    [
        (0, "0", False, ""),
        (1, "0", False, "1 token"),
        (1_234_567, "0.0021", False, "1,234,567 tokens · $0.0021"),
        (0, "1.5", True, "$1.5000 (estimate)"),
        (5, "0.00003", False, "5 tokens · under $0.0001"),
    ],
)
def test_what_was_spent_is_said_and_what_is_estimated_is_said_so(
    tokens: int, cost: str, is_estimated: bool, said: str
) -> None:
    assert spent(tokens, Decimal(cost), is_estimated=is_estimated) == said
