"""When in a conversation how much was said."""

from datetime import UTC, datetime, timedelta

from conversations.ingest.receive import receive
from conversations.models import Conversation, Project
from conversations.pages.timeline import HEIGHT, PARTS, timeline_of
from tests.clients import said

START = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


def spoken(project: Project, *seconds: float) -> Conversation:
    events = [
        {
            "type": "message.created",
            "timestamp": (START + timedelta(seconds=at)).isoformat(),
            "data": said("s-1", f"At {at}"),
        }
        for at in seconds
    ]
    assert all(answer.status == 201 for answer in receive(events, project=project))
    return project.conversations.get(public_id="s-1")


def test_its_time_is_in_equal_parts_and_bars_are_as_high_as_much_was_said(project: Project) -> None:
    # Parts of 25 hours, and the very last message beyond the end of all of them.
    hour_s = 3600.0
    at = [0, 1, 2, 24.9 * hour_s, 25 * hour_s, 25.1 * hour_s, PARTS * 25 * hour_s]

    found = timeline_of(spoken(project, *at))

    assert found is not None
    assert (found.first, found.last) == (START, START + timedelta(hours=PARTS * 25))
    bars = [(bar.x, bar.height) for bar in found.bars]
    assert bars == [(0, HEIGHT), (1, HEIGHT // 2), (PARTS - 1, HEIGHT // 4)]


def test_parts_may_be_shorter_than_a_clock_can_tell(project: Project) -> None:
    found = timeline_of(spoken(project, 0, 0.000007))

    assert found is not None
    assert sum(bar.height for bar in found.bars) == 2 * HEIGHT


def test_what_was_said_at_one_moment_has_no_timeline(project: Project) -> None:
    assert timeline_of(spoken(project, 5, 5)) is None


def test_nor_has_what_nobody_has_said_anything_in(project: Project) -> None:
    empty = Conversation.objects.create(project=project, public_id="s-0", started_at=START)

    assert timeline_of(empty) is None
