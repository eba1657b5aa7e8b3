"""How far it is and how long it still takes: told on simulated work, and held to what came."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from agents import pace, progress
from agents.models import AgentRun, Progress
from agents.pace import Pace, Part
from agents.progress import Report

BEGINNING = datetime(2026, 11, 21, 10, tzinfo=UTC)
# Of each step, as a part of what steps take at the mean.
UNSTEADY = 0.1
STATUSES = ("queued", "running", "completed", "failed", "cancelled", None)


def after(seconds: float) -> datetime:
    return BEGINNING + timedelta(seconds=seconds)


def a_pace(percentage: float, *, reached_s: float, began_with: float = 0) -> Pace:
    return Pace(
        began_at=BEGINNING,
        began_with=began_with,
        reached_at=after(reached_s),
        percentage=percentage,
    )


def test_what_is_left_takes_as_long_as_what_is_done() -> None:
    assert a_pace(25, reached_s=10).remaining_s(after(10)) == 30
    assert a_pace(60, reached_s=10, began_with=20).remaining_s(after(10)) == 10
    assert a_pace(100, reached_s=10).remaining_s(after(60)) == 0
    assert a_pace(0, reached_s=10).remaining_s(after(10)) is None
    assert a_pace(50, reached_s=0).remaining_s(after(0)) is None


def test_within_a_step_time_runs_on_and_no_further_than_the_steps_behind_it() -> None:
    half = a_pace(50, reached_s=20)
    assert half.remaining_s(after(25), steps=4) == 15
    assert half.remaining_s(after(90), steps=4) == 10
    assert half.remaining_s(after(90)) == 20


def test_the_whole_ends_with_the_last_of_its_parts() -> None:
    def part(percentage: float, remaining_s: float | None, *, is_finished: bool = False) -> Part:
        return Part(
            percentage=percentage,
            is_finished=is_finished,
            began_at=BEGINNING,
            updated_at=after(10),
            remaining_s=remaining_s,
        )

    assert pace.completion([part(50, 10), part(20, 40), part(100, 0, is_finished=True)]) == after(
        50
    )
    assert pace.completion([part(100, 0, is_finished=True)]) is None
    assert pace.completion([part(0, None)]) is None
    # Who has only begun is taken to be as fast as all of them are so far.
    assert pace.completion([part(80, 2.5), part(0, None)]) == after(25)


@st.composite
def steady_work(draw: st.DrawFn) -> list[tuple[str, list[float]]]:
    """Agents that begin about together, and when each ends each of its steps."""
    work = []
    for number in range(draw(st.integers(1, 6))):
        steps = draw(st.integers(4, 40))
        takes_s = draw(st.floats(1, 1_000)) / steps
        begins_s = draw(st.floats(0, 0.2)) * takes_s * steps
        off = st.floats(-UNSTEADY, UNSTEADY)
        times = [begins_s]
        for _ in range(steps):
            times.append(times[-1] + takes_s * (1 + draw(off)))
        work.append((f"agent-{number}", times))
    return work


def told_of(work: list[tuple[str, list[float]]]) -> Iterator[Report]:
    """What they report, in the order in which it happens."""
    told = []
    for number, (agent, times) in enumerate(work, 1):
        steps = len(times) - 1
        for done, at_s in enumerate(times):
            report = Report(
                project_id=1,
                agent_id=agent,
                run=AgentRun(pk=number),
                status="completed" if done == steps else "running",
                percentage=100 * done / steps,
                total_steps=steps,
                at=after(at_s),
            )
            told.append(report)
    yield from sorted(told, key=lambda report: report.at)


@settings(max_examples=50)
@given(steady_work())
def test_at_half_time_the_end_of_steady_work_is_known_within_30_percent(
    work: list[tuple[str, list[float]]],
) -> None:
    ends_s = max(times[-1] for _, times in work)
    rows: dict[str, Progress] = {}
    estimate = None
    for report in told_of(work):
        if report.at > after(ends_s / 2):
            break
        estimate = progress.move(rows, report).events[0].shape["estimatedCompletion"]
    assert estimate is not None
    told_s = (datetime.fromisoformat(estimate) - BEGINNING).total_seconds()
    # Not of the whole time, but of what is left of it.
    assert abs(told_s - ends_s) <= 0.3 * ends_s / 2


reports = st.builds(
    Report,
    project_id=st.just(1),
    agent_id=st.sampled_from(["ada", "bob", "eve"]),
    run=st.none() | st.integers(1, 4).map(lambda pk: AgentRun(pk=pk)),
    status=st.sampled_from(STATUSES),
    percentage=st.none() | st.floats(0, 100),
    total_steps=st.none() | st.integers(0, 20),
    remaining_s=st.none() | st.floats(0, 1e9),
)


@settings(max_examples=75)
@given(st.lists(reports, max_size=40))
def test_whatever_is_reported_the_whole_goes_back_only_with_a_reason(told: list[Report]) -> None:
    rows: dict[str, Progress] = {}
    overall = 0.0
    for report in told:
        standing = progress.move(rows, report)
        if not isinstance(standing.row, Progress):
            continue
        shape = standing.events[0].shape
        assert 0 <= shape["overall"] <= 100
        assert shape["overall"] >= overall or shape["reason"]
        assert shape["overall"] < overall or shape["reason"] is None
        overall = shape["overall"]
    assert overall == progress._whole(rows.values())["overall"]
