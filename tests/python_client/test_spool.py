"""Lines on disk: in order, in batches, by one process at a time."""

from pathlib import Path

import pytest

from agentpipe_client import spool as spooling
from agentpipe_client.command.intake import Intake
from agentpipe_client.rates import Rate
from agentpipe_client.spool import Spool


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 40)


def drain(spool: Spool, most_events: int = 1000) -> list[tuple[int, bytes]]:
    drained: list[tuple[int, bytes]] = []
    while batch := spool.next_batch(most_events):
        drained += zip(batch.numbers, batch.lines, strict=True)
        spool.settle(batch)
    return drained


def test_lines_keep_their_order_and_numbers_over_segments(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path)
    lines = [b"\n" if number % 3 == 0 else f"line {number}\n".encode() for number in range(1, 50)]
    for line in lines:
        spool.append([line])

    assert drain(spool, 4) == [
        (number, line) for number, line in enumerate(lines, start=1) if line.strip()
    ]
    assert len(list(spool.folder.glob("*.ndjson"))) == 1
    spool.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_next_process_goes_on_with_the_same_batch_under_the_same_key(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path)
    spool.append([b"one\n"])
    first = spool.next_batch()
    assert first is not None
    spool.settle(first)
    spool.append([b"two\n"])
    under_way = spool.next_batch()
    spool.append([b"three\n", b"torn"])
    assert Spool.left_over(tmp_path) == []
    spool.release()

    (adopted,) = Spool.left_over(tmp_path)
    again = adopted.next_batch()
    assert under_way is not None
    assert again is not None
    assert (again.key, again.lines) == (under_way.key, under_way.lines)
    adopted.settle(again)
    assert drain(adopted) == [(3, b"three\n"), (4, b"torn\n")]
    adopted.discard()


def test_a_lost_progress_repeats_and_leaves_nothing_out(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path)
    spool.append([b"one\n", b"two\n"])
    drain(spool)
    (spool.folder / "progress").write_text("")
    spool.release()

    (adopted,) = Spool.left_over(tmp_path)
    assert drain(adopted) == [(1, b"one\n"), (2, b"two\n")]
    adopted.discard()


def test_a_batch_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 10_000)
    monkeypatch.setattr(spooling, "MOST_BYTES", 25)
    spool = Spool.create(tmp_path)
    spool.append([b"123456789\n"] * 5)
    sizes = []
    while batch := spool.next_batch():
        sizes.append(len(batch.lines))
        spool.settle(batch)

    assert sizes == [2, 2, 1]
    spool.discard()


def test_two_equal_events_without_a_time_get_two_times() -> None:
    intake = Intake()
    taken = [intake.take(b'{"type": "log.entry", "data": {}}\r') for _ in range(100)]

    assert len(set(taken)) == 100
    timed = b'{"type":"log.entry","timestamp":"2026-11-21T10:00:00Z"}'
    assert intake.take(timed) == timed + b"\n"


def test_of_a_rate_half_is_free_and_the_rest_is_spread() -> None:
    assert Rate(limit=100, remaining=50, resets_in_s=60).even_pause_s == 0
    assert Rate(limit=100, remaining=49, resets_in_s=60).even_pause_s == pytest.approx(1.2)
    assert Rate(limit=100, remaining=0, resets_in_s=3).even_pause_s == 3
