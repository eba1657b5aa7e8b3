"""What hundreds of runs do every second is spread over that second."""

from collections import Counter

import pytest

from agents import turns
from agents.turns import Turn

RUNS = 200
STEP_S = 0.1


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return clock


def test_each_comes_once_a_second_and_few_at_once(clock: Clock) -> None:
    each = {run_id: Turn(run_id, every_s=1.0) for run_id in range(1, RUNS + 1)}
    came: Counter[int] = Counter()
    for _ in range(30):
        clock.now += STEP_S
        now = [run_id for run_id, turn in each.items() if turn.has_come()]
        came.update(now)
        # A tenth of them, as nearly as may be.
        assert len(now) <= 1.5 * RUNS * STEP_S
    assert set(came.values()) == {3}


def test_who_was_held_up_together_goes_apart_again(clock: Clock) -> None:
    each = [Turn(run_id, every_s=1.0) for run_id in range(1, RUNS + 1)]
    clock.now += 5
    assert sum(turn.has_come() for turn in each) == RUNS
    clock.now += STEP_S
    assert sum(turn.has_come() for turn in each) <= 1.5 * RUNS * STEP_S


def test_what_never_comes_round_never_comes(clock: Clock) -> None:
    turn = Turn(7, every_s=float("inf"))
    clock.now += 1_000_000
    assert not turn.has_come()
