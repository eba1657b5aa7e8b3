"""How sure a piece of an answer sounds."""

import pytest

from agents.confidence import confidence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0.7),
        ("The tower is high.", 0.7),
        ("It fell because of the wind.", 0.8),
        ("THEREFORE it fell.", 0.8),
        ("Thus it fell, because and therefore.", 0.8),
        ("It fell [3].", 0.8),
        ("It fell [3], because of the wind [12].", 0.9),
        ("It might fall.", 0.6),
        ("Perhaps, possibly, it might.", 0.6),
        ("It might fall because of the wind.", 0.7),
        ("It might fall because of the wind [1].", 0.8),
        ("An almighty thusness", 0.7),
        ("[a] [] [1", 0.7),
    ],
)
def test_reasons_and_citations_sound_sure_and_reservations_do_not(
    text: str, expected: float
) -> None:
    assert confidence(text) == expected
